// client_go: Go's net/http client, one goroutine per connection. Command line and output: tests/bench/client_run.hpp.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func fail(what interface{}) {
	fmt.Fprintln(os.Stderr, "client_go:", what)
	os.Exit(1)
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil || value <= 0 {
		fail("a number was expected")
	}
	return value
}

func processor() int64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return usage.Utime.Nano() + usage.Stime.Nano()
}

func main() {
	if len(os.Args) != 5 || (os.Args[3] != "seconds" && os.Args[3] != "requests") {
		fail("see the head of tests/bench/client_run.hpp")
	}
	url := fmt.Sprintf("http://127.0.0.1:%d/hello", number(os.Args[1]))
	connections := number(os.Args[2])
	requests, seconds := int64(0), 0
	if os.Args[3] == "requests" {
		requests = int64(number(os.Args[4]))
	} else {
		seconds = number(os.Args[4])
	}
	client := &http.Client{
		Transport: &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections, DisableCompression: true},
		Timeout:   10 * time.Second,
	}

	var begun, answers int64
	var over int32
	began, processorBegan := time.Now(), processor()
	if seconds > 0 {
		time.AfterFunc(time.Duration(seconds)*time.Second, func() { atomic.StoreInt32(&over, 1) })
	}
	var group sync.WaitGroup
	for i := 0; i < connections; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for atomic.LoadInt32(&over) == 0 {
				if requests > 0 && atomic.AddInt64(&begun, 1) > requests {
					return
				}
				answer, err := client.Get(url)
				if err != nil {
					fail(err)
				}
				if _, err = io.Copy(io.Discard, answer.Body); err != nil {
					fail(err)
				}
				answer.Body.Close()
				if answer.StatusCode != 200 {
					fail("an answer was not 200")
				}
				atomic.AddInt64(&answers, 1)
			}
		}()
	}
	group.Wait()
	elapsed := time.Since(began).Seconds()
	fmt.Printf("%d %.6f %d\n", answers, elapsed, processor()-processorBegan)
}
