// Go's net/http as a client of our https servers, for tests/e2e/tls_peers_test.cpp.
//
//	go_client CA URL COUNT [CERT KEY]	COUNT requests, each on a new connection; a line for each: status, bytes, protocol, version, resumed
//	GO_CLIENT_MAX=1.2	at most TLS 1.2
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"
)

func fail(what interface{}) {
	fmt.Fprintln(os.Stderr, "go_client:", what)
	os.Exit(1)
}

func main() {
	if len(os.Args) != 4 && len(os.Args) != 6 {
		fail("CA URL COUNT [CERT KEY]")
	}
	pem, err := os.ReadFile(os.Args[1])
	if err != nil {
		fail(err)
	}
	config := &tls.Config{RootCAs: x509.NewCertPool(), ClientSessionCache: tls.NewLRUClientSessionCache(4)}
	config.RootCAs.AppendCertsFromPEM(pem)
	if os.Getenv("GO_CLIENT_MAX") == "1.2" {
		config.MaxVersion = tls.VersionTLS12
	}
	if len(os.Args) == 6 {
		own, err := tls.LoadX509KeyPair(os.Args[4], os.Args[5])
		if err != nil {
			fail(err)
		}
		config.Certificates = []tls.Certificate{own}
	}
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		fail(err)
	}
	// HTTP/2 is offered too: the server has to choose HTTP/1.1.
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	for i := 0; i < count; i++ {
		response, err := client.Get(os.Args[2])
		if err != nil {
			fail(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil {
			fail(err)
		}
		version := map[uint16]string{tls.VersionTLS12: "1.2", tls.VersionTLS13: "1.3"}[response.TLS.Version]
		fmt.Println(response.StatusCode, len(body), response.Proto, version, response.TLS.DidResume)
		transport.CloseIdleConnections()
	}
}
