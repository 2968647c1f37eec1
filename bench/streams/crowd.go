package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

const (
	forwards = 50
	// settles is how long memory may take to come back: Go gives it to the system by and by, and collects at least every
	// two minutes.
	settles = 150 * time.Second
	page8k  = 8 << 10
)

// crowd keeps many streams open for a while, each of which carries something all the time.
func (b *bench) crowd(ctx context.Context) error {
	if err := canFollow(b.followers); err != nil {
		return err
	}
	pod, err := b.runs(ctx, "crowd", "sh", "-c", fmt.Sprintf(
		"head -c %d /dev/zero >/tmp/index.html; httpd -p 8080 -h /tmp; while :; do date; sleep 0.5; done", page8k))
	if err != nil {
		return err
	}
	defer b.remove(ctx, pod)
	r := crowded{Followers: b.followers}
	if r.Before, err = b.metrics(ctx); err != nil {
		return err
	}
	open, done := context.WithTimeout(ctx, b.crowdTime)
	defer done()
	peak := b.peak(open)
	var broken, served atomic.Int64
	seen := &lines{seen: make([]int, b.followers)}
	var all sync.WaitGroup
	for i := range b.followers {
		all.Go(func() {
			tail := int64(0)
			last := ""
			err := b.source.follow(open, pod.Name, &tail, func(line string) { seen.add(i); last = line })
			if open.Err() == nil {
				_, _ = fmt.Fprintln(b.log, "  a log ended:", err, last)
				broken.Add(1)
			}
		})
	}
	for range forwards {
		all.Go(func() {
			if err := b.forward(open, pod.Name, &served); err != nil && open.Err() == nil {
				_, _ = fmt.Fprintln(b.log, "  a port-forward broke:", err)
				broken.Add(1)
			}
		})
	}
	all.Wait()
	r.Broken, r.Served, r.Least, r.Peak = int(broken.Load()), int(served.Load()), seen.least(), <-peak
	if r.After, err = b.settled(ctx, r.Before); err != nil {
		return err
	}
	b.results.Crowd = r
	return nil
}

// forward opens a port-forward and fetches a page through it, once a second.
func (b *bench) forward(ctx context.Context, pod string, served *atomic.Int64) error {
	url := b.source.client.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(b.source.config)
	if err != nil {
		return fmt.Errorf("preparing a port-forward: %w", err)
	}
	overSPDY := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	overWebSocket, err := portforward.NewSPDYOverWebsocketDialer(url, b.source.config)
	if err != nil {
		return fmt.Errorf("preparing a port-forward: %w", err)
	}
	dialer := portforward.NewFallbackDialer(overWebSocket, overSPDY, func(error) bool { return true }) // as kubectl does
	ready := make(chan struct{})
	forwarder, err := portforward.New(dialer, []string{"0:8080"}, ctx.Done(), ready, io.Discard, io.Discard)
	if err != nil {
		return fmt.Errorf("preparing a port-forward: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- forwarder.ForwardPorts() }()
	select {
	case err := <-ended:
		return fmt.Errorf("opening a port-forward: %w", err)
	case <-ready:
	}
	ports, err := forwarder.GetPorts()
	if err != nil {
		return err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		if err := fetch(ctx, client, fmt.Sprintf("http://127.0.0.1:%d/index.html", ports[0].Local)); err != nil {
			return err
		}
		served.Add(1)
		select {
		case err := <-ended:
			return fmt.Errorf("the port-forward ended: %w", err)
		case <-ctx.Done():
			return <-ended
		case <-time.After(time.Second):
		}
	}
}

func fetch(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	n, err := io.Copy(io.Discard, response.Body)
	if err == nil && n != page8k {
		err = fmt.Errorf("got %d bytes of %d", n, page8k)
	}
	return err
}

// process is what the controller says of itself.
type process struct{ Resident, Goroutines float64 }

func (b *bench) metrics(ctx context.Context) (process, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, b.fleet.ControllerMetricsURL("spillway-controller"), nil)
	if err != nil {
		return process{}, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return process{}, fmt.Errorf("reading the metrics of the controller: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		return process{}, fmt.Errorf("reading the metrics of the controller: %w", err)
	}
	value := func(name string) float64 {
		if family := families[name]; family != nil && len(family.Metric) == 1 {
			return family.Metric[0].GetGauge().GetValue()
		}
		return 0
	}
	return process{Resident: value("process_resident_memory_bytes") / (1 << 20), Goroutines: value("go_goroutines")}, nil
}

// memory is what the controller has resident, in MiB.
func (b *bench) memory() (float64, error) {
	now, err := b.metrics(context.Background())
	return now.Resident, err
}

// peak looks until the context ends, and then tells the most that was resident.
func (b *bench) peak(ctx context.Context) <-chan float64 {
	most := make(chan float64, 1)
	go func() {
		peak := 0.0
		for ctx.Err() == nil {
			if now, err := b.memory(); err == nil {
				peak = max(peak, now)
			}
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
		most <- peak
	}()
	return most
}

// settled is what the controller has when it has no more than before, or when it had the time to.
func (b *bench) settled(ctx context.Context, before process) (process, error) {
	for end := time.Now().Add(settles); ; {
		now, err := b.metrics(ctx)
		if err != nil || backAt(before, now) || time.Now().After(end) {
			return now, err
		}
		select {
		case <-ctx.Done():
			return now, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// backAt tells whether memory is where it was, give or take what a garbage-collected process has more or less at any time.
func backAt(before, now process) bool {
	return now.Resident <= before.Resident+20 && now.Goroutines <= before.Goroutines+20
}
