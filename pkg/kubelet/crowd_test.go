package kubelet

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// chatty is a target whose logs have a line each hundredth of a second, and whose streams answer what they are sent.
func chatty(t *testing.T) Location {
	return newTarget(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			for i := 0; r.Context().Err() == nil; i++ {
				_, _ = fmt.Fprintf(w, "line %d\n", i)
				_ = http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Millisecond)
			}
			return
		}
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "SPDY/3.1")
		w.WriteHeader(http.StatusSwitchingProtocols)
		connection, _, err := http.NewResponseController(w).Hijack()
		if assert.NoError(t, err) {
			_, _ = io.Copy(connection, connection)
			_ = connection.Close()
		}
	})
}

func TestACrowdOfStreamsIsServedAndLeavesNothing(t *testing.T) {
	const logs, forwards, lasting = 200, 50, time.Second
	address := started(t.Context(), t, fakeLocator{location: chatty(t)})
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var all, connected sync.WaitGroup
	connected.Add(logs + forwards)
	var served atomic.Int64
	for range logs {
		all.Go(func() {
			response, err := send(ctx, "admin", http.MethodGet, "https://"+address+logPath+"?follow=true")
			connected.Done()
			if !assert.NoError(t, err) {
				return
			}
			defer response.Body.Close()
			lines := bufio.NewScanner(response.Body)
			for i := 0; lines.Scan(); i++ {
				assert.Equal(t, fmt.Sprintf("line %d", i), lines.Text())
				served.Add(1)
			}
			assert.Error(t, ctx.Err(), "a log ended by itself")
		})
	}
	for range forwards {
		all.Go(func() {
			response, err := sendUpgrade(ctx, "https://"+address+"/portForward/shop/web")
			connected.Done()
			if !assert.NoError(t, err) {
				return
			}
			stream := response.Body.(io.ReadWriteCloser)
			defer stream.Close()
			for i := 0; ctx.Err() == nil; i++ {
				got, sent := make([]byte, 4), fmt.Sprintf("%04d", i)
				_, err := io.WriteString(stream, sent)
				if err == nil {
					_, err = io.ReadFull(stream, got)
				}
				if ctx.Err() == nil && assert.NoError(t, err) {
					assert.Equal(t, sent, string(got))
				}
				time.Sleep(10 * time.Millisecond)
			}
		})
	}
	connected.Wait() // however long that takes on a busy machine
	time.Sleep(lasting)
	cancel()
	all.Wait()
	assert.Greater(t, served.Load(), int64(logs), "each log had more than a line")
	for end := time.Now().Add(3 * deadline); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(end), "%d goroutines were left", runtime.NumGoroutine()-before)
	}
}
