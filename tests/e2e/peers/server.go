// A server by Go's net/http for tests/e2e/peers_test.cpp. It serves on descriptor 3, where the test has put a listening socket.
//
//	go_peer ROOT [IDLE_TIMEOUT]	ROOT is served at /files/; idle connections are closed after IDLE_TIMEOUT, such as 200ms
//	GO_PEER_CERT, GO_PEER_KEY	files: it speaks TLS
//
// CONNECT makes it a proxy to anywhere.
package main

import (
	"compress/gzip"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

func fail(what interface{}) {
	fmt.Fprintln(os.Stderr, "go_peer:", what)
	os.Exit(1)
}

func hello(w http.ResponseWriter, r *http.Request) {
	io.WriteString(w, "hello\n")
}

// Three chunks, each sent by itself.
func chunked(w http.ResponseWriter, r *http.Request) {
	for _, piece := range []string{"one\n", "two\n", "three\n"} {
		io.WriteString(w, piece)
		w.(http.Flusher).Flush()
	}
}

func trailers(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Trailer", "X-Sum, X-Count")
	io.WriteString(w, "body\n")
	w.(http.Flusher).Flush()
	w.Header().Set("X-Sum", "abc")
	w.Header().Set("X-Count", "5")
}

func earlyHints(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Link", "</style.css>; rel=preload")
	w.WriteHeader(http.StatusEarlyHints)
	w.Header().Del("Link")
	w.WriteHeader(http.StatusEarlyHints)
	io.WriteString(w, "after hints\n")
}

func slow(w http.ResponseWriter, r *http.Request) {
	length, err := time.ParseDuration(r.URL.Query().Get("for"))
	if err != nil {
		http.Error(w, "slow: for=DURATION", http.StatusBadRequest)
		return
	}
	select {
	case <-time.After(length):
		io.WriteString(w, "slow\n")
	case <-r.Context().Done():
	}
}

// /redirect/3 goes to /redirect/2 and so on to /hello.
func redirect(w http.ResponseWriter, r *http.Request) {
	left := 0
	fmt.Sscanf(r.URL.Path, "/redirect/%d", &left)
	if left <= 1 {
		http.Redirect(w, r, "/hello", http.StatusFound)
		return
	}
	http.Redirect(w, r, fmt.Sprintf("/redirect/%d", left-1), http.StatusFound)
}

func compressed(w http.ResponseWriter, r *http.Request) {
	text := strings.Repeat("the same line again and again\n", 5000)
	if !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		io.WriteString(w, text)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	packer := gzip.NewWriter(w)
	io.WriteString(packer, text)
	packer.Close()
}

// The body back: as it comes if its length is known, otherwise once it is there, because net/http drops up to 256 KiB of a chunked body
// when the answer begins. Reading makes it say 100 Continue.
func echo(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Expect", r.Header.Get("Expect"))
	if r.ContentLength >= 0 {
		w.Header().Set("Content-Length", fmt.Sprint(r.ContentLength))
		io.Copy(w, r.Body)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err == nil {
		w.Write(body)
	}
}

// An answer to a request whose body nobody reads.
func refuse(w http.ResponseWriter, r *http.Request) {
	http.Error(w, "not wanted", http.StatusForbidden)
}

func put(root string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			http.Error(w, "PUT only", http.StatusMethodNotAllowed)
			return
		}
		file, err := os.Create(filepath.Join(root, "put", filepath.Base(r.URL.Path)))
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer file.Close()
		if _, err := io.Copy(file, r.Body); err != nil {
			return
		}
		w.WriteHeader(http.StatusCreated)
	}
}

// Whatever comes goes back, until the client finishes.
func upgrade(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "echo" {
		http.Error(w, "Upgrade: echo", http.StatusUpgradeRequired)
		return
	}
	connection, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer connection.Close()
	io.WriteString(connection, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	io.Copy(connection, buffered)
}

func closing(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Connection", "close")
	io.WriteString(w, "bye\n")
}

// The connection is cut behind half of the body.
func abort(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "10")
	io.WriteString(w, "12345")
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

// The connection ends behind half of the body, or of a body without a length, and TLS does not say so (no close_notify).
func cut(w http.ResponseWriter, r *http.Request) {
	connection, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	length := ""
	if r.URL.Query().Get("length") != "" {
		length = "Content-Length: " + r.URL.Query().Get("length") + "\r\n"
	}
	io.WriteString(buffered, "HTTP/1.1 200 OK\r\nConnection: close\r\n"+length+"\r\n12345")
	buffered.Flush()
	if secure, ok := connection.(*tls.Conn); ok && r.URL.Query().Get("clean") == "" {
		connection = secure.NetConn()
	}
	connection.Close()
}

// A tunnel to wherever the client wants.
func tunnel(w http.ResponseWriter, r *http.Request) {
	target, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	connection, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		target.Close()
		return
	}
	io.WriteString(connection, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		io.Copy(target, connection)
		target.(*net.TCPConn).CloseWrite()
	}()
	io.Copy(connection, target)
	connection.Close()
}

// Files with an entity tag, which http.FileServer does not make.
func files(root string) http.Handler {
	server := http.StripPrefix("/files/", http.FileServer(http.Dir(root)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		info, err := os.Stat(filepath.Join(root, strings.TrimPrefix(r.URL.Path, "/files/")))
		if err == nil && !info.IsDir() {
			w.Header().Set("Etag", fmt.Sprintf("\"%x-%x\"", info.Size(), info.ModTime().UnixNano()))
		}
		server.ServeHTTP(w, r)
	})
}

func main() {
	if len(os.Args) < 2 {
		fail("which folder?")
	}
	root := os.Args[1]
	server := &http.Server{}
	if len(os.Args) > 2 {
		length, err := time.ParseDuration(os.Args[2])
		if err != nil {
			fail(err)
		}
		server.IdleTimeout = length
	}
	listener, err := net.FileListener(os.NewFile(3, "listener"))
	if err != nil {
		fail(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/files/", files(root))
	mux.HandleFunc("/hello", hello)
	mux.HandleFunc("/chunked", chunked)
	mux.HandleFunc("/trailers", trailers)
	mux.HandleFunc("/hints", earlyHints)
	mux.HandleFunc("/slow", slow)
	mux.HandleFunc("/redirect/", redirect)
	mux.HandleFunc("/gzip", compressed)
	mux.HandleFunc("/echo", echo)
	mux.HandleFunc("/refuse", refuse)
	mux.HandleFunc("/put/", put(root))
	mux.HandleFunc("/upgrade", upgrade)
	mux.HandleFunc("/close", closing)
	mux.HandleFunc("/abort", abort)
	mux.HandleFunc("/cut", cut)
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			tunnel(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
	if certificate := os.Getenv("GO_PEER_CERT"); certificate != "" {
		server.TLSNextProto = map[string]func(*http.Server, *tls.Conn, http.Handler){} // no HTTP/2
		fail(server.ServeTLS(listener, certificate, os.Getenv("GO_PEER_KEY")))
	}
	fail(server.Serve(listener))
}
