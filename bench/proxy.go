package main

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// proxy passes TCP connections on and holds back each byte, in both directions, for the same time: a long line, not a
// thin one. The ends speak TLS with each other through it.
type proxy struct {
	listener net.Listener
	to       string
	delay    time.Duration
	accepted atomic.Int64

	mu    sync.Mutex
	conns []net.Conn
}

// chunk is what was read at once, and when it may be written.
type chunk struct {
	due  time.Time
	data []byte
}

func newProxy(to string, delay time.Duration) (*proxy, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for a delayed connection: %w", err)
	}
	p := &proxy{listener: listener, to: to, delay: delay}
	go p.accept()
	return p, nil
}

func (p *proxy) address() string { return p.listener.Addr().String() }

// close ends the proxy and its connections.
func (p *proxy) close() {
	_ = p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, conn := range p.conns {
		_ = conn.Close()
	}
}

func (p *proxy) accept() {
	for {
		near, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		p.accepted.Add(1)
		far, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = near.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, near, far)
		p.mu.Unlock()
		go p.pass(far, near)
		go p.pass(near, far)
	}
}

// pass copies in one direction. Reading goes on while chunks wait, so that the delay does not bound the rate.
func (p *proxy) pass(to, from net.Conn) {
	queue := make(chan chunk, 1<<14)
	go func() {
		defer close(queue)
		for {
			data := make([]byte, 32<<10)
			n, err := from.Read(data)
			if n > 0 {
				queue <- chunk{time.Now().Add(p.delay), data[:n]}
			}
			if err != nil {
				return
			}
		}
	}()
	if err := drain(to, queue); err != nil {
		_ = from.Close()
		for range queue { // lets the reader end
			continue
		}
	}
	_ = to.Close()
}

func drain(to io.Writer, queue <-chan chunk) error {
	for c := range queue {
		time.Sleep(time.Until(c.due))
		if _, err := to.Write(c.data); err != nil {
			return err
		}
	}
	return nil
}
