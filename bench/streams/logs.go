package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/wait"
)

// A fast log's lines have lineBytes each; a thousand lines are written, then the rest of a tenth of a second is waited for.
const (
	lineBytes = 1000
	perTenth  = 1000
)

// writer writes numbered lines, ten times a second a megabyte, and then END. busybox's awk waits by the clock, so that what
// it takes to write does not slow it down.
func writer(seconds int) string {
	return fmt.Sprintf(`read start _ </proc/uptime
awk -v start=$start 'BEGIN {
  fill = sprintf("%%%ds", ""); gsub(/ /, "x", fill); n = 0
  for (tenth = 1; tenth <= %d; tenth++) {
    for (i = 0; i < %d; i++) printf "%%010d %%s\n", n++, fill
    fflush()
    getline now <"/proc/uptime"; close("/proc/uptime"); split(now, at, " ")
    left = start + tenth / 10 - at[1]
    if (left > 0.001) system(sprintf("sleep %%.3f", left))
  }
  print "END"
}'; sleep 100000`, lineBytes-12, seconds*10, perTenth)
}

// follow is a log read line by line.
func (w way) follow(ctx context.Context, pod string, tail *int64, line func(string)) error {
	stream, err := w.client.CoreV1().Pods(w.namespace).GetLogs(pod, &corev1.PodLogOptions{Container: container, Follow: true, TailLines: tail}).Stream(ctx)
	if err != nil {
		return fmt.Errorf("following a log %s: %w", w.name, err)
	}
	defer func() { _ = stream.Close() }()
	reader := bufio.NewReaderSize(stream, 1<<16)
	for {
		text, err := reader.ReadString('\n')
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("following a log %s: %w", w.name, err)
		}
		line(strings.TrimSuffix(text, "\n"))
	}
}

// fastLog follows a pod that writes 10 MB/s, on each way a pod of its own.
func (b *bench) fastLog(ctx context.Context) error {
	b.results.Log = map[string]fast{}
	for _, w := range b.both() {
		pod, err := b.runs(ctx, "fast", "sh", "-c", writer(b.logSeconds))
		if err != nil {
			return err
		}
		before, err := b.memory()
		if err != nil {
			return err
		}
		watching, done := context.WithCancel(ctx)
		peak := b.peak(watching)
		result, start, next := fast{Lines: b.logSeconds * 10 * perTenth}, time.Now(), 0
		last := ""
		err = w.follow(watching, w.pod(pod), nil, func(line string) {
			if line == "END" {
				result.Took = time.Since(start)
				done()
				return
			}
			n, err := strconv.Atoi(strings.SplitN(line, " ", 2)[0])
			if err != nil || n != next || len(line) != lineBytes-1 {
				result.Wrong++
				_, _ = fmt.Fprintf(b.log, "  line %d of the log %s is not as written: %.200q after %.20q\n", next, w.name, line, last)
			}
			next = n + 1
			result.Got++
			last = line
		})
		done()
		if err != nil && !errors.Is(err, context.Canceled) {
			return err
		}
		if result.Took == 0 {
			return fmt.Errorf("the log %s ended after %d of %d lines: %q", w.name, result.Got, result.Lines, last)
		}
		result.Grown = <-peak - before
		b.results.Log[w.name] = result
		b.remove(ctx, pod)
	}
	return nil
}

// lines counts what many followers have seen.
type lines struct {
	mu   sync.Mutex
	seen []int
}

func (l *lines) add(follower int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.seen[follower]++
}

func (l *lines) least() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	least := l.seen[0]
	for _, n := range l.seen {
		least = min(least, n)
	}
	return least
}

func eventually(ctx context.Context, what string, check func() (bool, error)) error {
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, 30*time.Second, true, func(context.Context) (bool, error) { return check() })
	if err != nil {
		return fmt.Errorf("waiting for %s: %w", what, err)
	}
	return nil
}
