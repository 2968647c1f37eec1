package main

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// echo answers every connection with what it sends.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, delay time.Duration) net.Conn {
	t.Helper()
	p, err := newProxy(echo(t), delay)
	require.NoError(t, err)
	t.Cleanup(p.close)
	conn, err := net.Dial("tcp", p.address())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	return conn
}

func TestProxyDelaysEachDirectionOnce(t *testing.T) {
	const delay = 30 * time.Millisecond
	conn := dial(t, delay)
	for range 3 {
		start := time.Now()
		_, err := conn.Write([]byte("ping"))
		require.NoError(t, err)
		answer := make([]byte, 4)
		_, err = io.ReadFull(conn, answer)
		require.NoError(t, err)
		assert.Equal(t, "ping", string(answer))
		assert.GreaterOrEqual(t, time.Since(start), 2*delay)
		assert.Less(t, time.Since(start), 2*delay+500*time.Millisecond)
	}
}

// A proxy that waited for each chunk before it read the next would take a delay for each.
func TestProxyDoesNotBoundTheRate(t *testing.T) {
	const delay = 50 * time.Millisecond
	conn := dial(t, delay)
	data := bytes.Repeat([]byte("0123456789abcdef"), 256<<10) // 4 MiB, at least 128 chunks
	start := time.Now()
	go func() { _, _ = conn.Write(data) }()
	answer := make([]byte, len(data))
	_, err := io.ReadFull(conn, answer)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(data, answer), "every byte arrives, in order")
	assert.Less(t, time.Since(start), 30*delay)
}

func TestProxyEndsAConnectionWithItsOtherEnd(t *testing.T) {
	p, err := newProxy("127.0.0.1:1", 0) // nobody listens there
	require.NoError(t, err)
	defer p.close()
	conn, err := net.Dial("tcp", p.address())
	require.NoError(t, err)
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Read(make([]byte, 1))
	assert.ErrorIs(t, err, io.EOF)
}
