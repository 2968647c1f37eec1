package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
)

// How a stream is carried.
const (
	byWebSocket = "WebSocket"
	bySPDY      = "SPDY"
)

// exec runs a command in the pod.
func (w way) exec(ctx context.Context, pod, over string, stdin io.Reader, stdout io.Writer, command ...string) error {
	request := w.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(w.namespace).Name(pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: container, Command: command, Stdin: stdin != nil, Stdout: true, Stderr: true}, scheme.ParameterCodec)
	var executor remotecommand.Executor
	var err error
	if over == bySPDY {
		executor, err = remotecommand.NewSPDYExecutor(w.config, http.MethodPost, request.URL())
	} else {
		executor, err = remotecommand.NewWebSocketExecutor(w.config, http.MethodGet, request.URL().String())
	}
	if err != nil {
		return fmt.Errorf("preparing an exec %s over %s: %w", w.name, over, err)
	}
	var stderr bytes.Buffer
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: stdout, Stderr: &stderr})
	if err != nil {
		return fmt.Errorf("exec %s over %s: %w: %s", w.name, over, err, &stderr)
	}
	return nil
}

// execs runs the shortest command there is, in turn on each way, so that what else the machine does hits both.
func (b *bench) execs(ctx context.Context) error {
	pod, err := b.runs(ctx, "exec", "sleep", "100000")
	if err != nil {
		return err
	}
	defer b.remove(ctx, pod)
	b.results.Exec = map[string][]time.Duration{}
	names := map[string]string{}
	for _, w := range b.both() {
		names[w.name] = w.pod(pod)
	}
	for i := range b.options.execs + 5 {
		for _, w := range b.both() {
			start := time.Now()
			if err := w.exec(ctx, names[w.name], byWebSocket, nil, io.Discard, "true"); err != nil {
				return err
			}
			if i >= 5 { // the first ones find cold caches on either way
				b.results.Exec[w.name] = append(b.results.Exec[w.name], time.Since(start))
			}
		}
	}
	for _, times := range b.results.Exec {
		slices.Sort(times)
	}
	return nil
}

const largeBytes = 100_000_000

// large sends 100 MB both ways, and compares what arrived.
func (b *bench) large(ctx context.Context) error {
	pod, err := b.runs(ctx, "large", "sleep", "100000")
	if err != nil {
		return err
	}
	defer b.remove(ctx, pod)
	content := make([]byte, largeBytes)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(content) // never fails
	want := sum(content)
	for _, w := range b.both() {
		for _, over := range []string{byWebSocket, bySPDY} {
			line := transfer{Way: w.name, By: "exec over " + over}
			var there bytes.Buffer
			start := time.Now()
			if err := w.exec(ctx, w.pod(pod), over, bytes.NewReader(content), &there, "sh", "-c", "cat >/tmp/file; sha256sum </tmp/file"); err != nil {
				return err
			}
			line.In, line.Same = time.Since(start), strings.HasPrefix(there.String(), want)
			start = time.Now()
			hash := sha256.New()
			if err := w.exec(ctx, w.pod(pod), over, nil, hash, "cat", "/tmp/file"); err != nil {
				return err
			}
			line.Out, line.Same = time.Since(start), line.Same && hex.EncodeToString(hash.Sum(nil)) == want
			b.results.Large = append(b.results.Large, line)
		}
	}
	return b.copies(ctx, pod, content)
}

// copies does the same with kubectl cp, as a user of the source would.
func (b *bench) copies(ctx context.Context, pod *corev1.Pod, content []byte) error {
	dir, err := os.MkdirTemp("", "spillway-streams-cp-")
	if err != nil {
		return fmt.Errorf("making a folder to copy from: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := os.WriteFile(from, content, 0o600); err != nil {
		return fmt.Errorf("writing what to copy: %w", err)
	}
	line := transfer{Way: b.source.name, By: "kubectl cp"}
	start := time.Now()
	if err := b.kubectl(ctx, "cp", from, pod.Name+":/tmp/copied"); err != nil {
		return err
	}
	line.In = time.Since(start)
	start = time.Now()
	if err := b.kubectl(ctx, "cp", "--retries=2", pod.Name+":/tmp/copied", to); err != nil {
		return err
	}
	line.Out = time.Since(start)
	back, err := os.ReadFile(to)
	if err != nil {
		return fmt.Errorf("reading what was copied back: %w", err)
	}
	line.Same = sum(back) == sum(content)
	b.results.Large = append(b.results.Large, line)
	return nil
}

func (b *bench) kubectl(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, b.fleet.Binary("kubectl"), append([]string{"-n", namespace}, args...)...)
	cmd.Env = append(os.Environ(), "KUBECONFIG="+b.fleet.Kubeconfig(b.fleet.Source()))
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("kubectl %s: %w: %s", args[0], err, out)
	}
	return nil
}

func sum(content []byte) string {
	hash := sha256.Sum256(content)
	return hex.EncodeToString(hash[:])
}

const leaving = 20

// leave cancels commands that would run for long, and looks for what they left in the pod.
func (b *bench) leave(ctx context.Context) error {
	pod, err := b.runs(ctx, "leave", "sleep", "100000")
	if err != nil {
		return err
	}
	defer b.remove(ctx, pod)
	b.results.Left = map[string]int{}
	for _, w := range b.both() {
		name := w.pod(pod)
		ended := make(chan struct{}, leaving)
		running, cancel := context.WithCancel(ctx)
		for range leaving {
			go func() {
				_ = w.exec(running, name, byWebSocket, neverEnds{running}, io.Discard, "cat") // ends with its context
				ended <- struct{}{}
			}()
		}
		count := func() (int, error) {
			var out bytes.Buffer
			err := w.exec(ctx, name, byWebSocket, nil, &out, "sh", "-c", "ps -o args | grep -c '^[c]at$' || true")
			n := 0
			_, _ = fmt.Sscan(out.String(), &n)
			return n, err
		}
		err := eventually(ctx, "the commands to run", func() (bool, error) {
			n, err := count()
			return n == leaving, err
		})
		cancel()
		if err != nil {
			return err
		}
		for range leaving {
			<-ended
		}
		_ = eventually(ctx, "", func() (bool, error) { // what is left when it gives up is the result
			n, err := count()
			b.results.Left[w.name] = n
			return n == 0, err
		})
	}
	return nil
}

// neverEnds is a user who types nothing until they leave.
type neverEnds struct{ context.Context }

func (n neverEnds) Read([]byte) (int, error) {
	<-n.Done()
	return 0, io.EOF
}
