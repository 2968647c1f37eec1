package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/rest"
)

const (
	serverMetric = "apiserver_request_total"
	clientMetric = "rest_client_requests_total"
)

// Request is a kind of API request: what an API server's metrics tell apart.
type Request struct {
	Verb     string `json:"verb"`
	Resource string `json:"resource"` // with its subresource, as in pods/status; with its group only for our own
	Code     string `json:"code"`     // of the answer; empty for all that are not failures
}

// Failed tells whether the answer was an error of the caller's or the server's.
func (r Request) Failed() bool { return r.Code != "" }

// Counts are how often each kind of request was made, or a difference, or a rate of them.
type Counts map[Request]float64

// parseRequests reads a counter of requests; kind makes a Request of a counter's labels.
func parseRequests(metrics io.Reader, name string, kind func(labels map[string]string) Request) (Counts, error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(metrics)
	if err != nil {
		return nil, fmt.Errorf("parsing metrics: %w", err)
	}
	counts := Counts{}
	for _, metric := range families[name].GetMetric() {
		labels := map[string]string{}
		for _, pair := range metric.GetLabel() {
			labels[pair.GetName()] = pair.GetValue()
		}
		counts[kind(labels)] += metric.GetCounter().GetValue()
	}
	return counts, nil
}

// served is a request as an API server counts it.
func served(labels map[string]string) Request {
	r := Request{Verb: labels["verb"], Resource: labels["resource"]}
	if strings.HasSuffix(labels["group"], "spillway.dev") {
		r.Resource += "." + labels["group"]
	}
	if sub := labels["subresource"]; sub != "" {
		r.Resource += "/" + sub
	}
	r.Code = failure(labels["code"])
	return r
}

// sent is a request as its client counts it, which does not know the resource: here it is the server.
func sent(labels map[string]string) Request {
	return Request{Verb: labels["method"], Resource: labels["host"], Code: failure(labels["code"])}
}

// failure is the code of a failed request. 0 is not one: it is a watch that the client ended.
func failure(code string) string {
	if n, err := strconv.Atoi(code); err == nil && n < http.StatusBadRequest {
		return ""
	}
	return code
}

// minus returns the counts less times other.
func (c Counts) minus(other Counts, times float64) Counts {
	out := Counts{}
	for r, n := range c {
		out[r] = n
	}
	for r, n := range other {
		out[r] -= n * times
	}
	return out
}

// per returns the counts divided by n.
func (c Counts) per(n float64) Counts {
	out := Counts{}
	for r, count := range c {
		out[r] = count / n
	}
	return out
}

// requests reads the counters of every cluster.
func (m *machines) requests(ctx context.Context) (map[string]Counts, error) {
	all := map[string]Counts{}
	for name, config := range m.configs {
		client, err := rest.HTTPClientFor(config)
		if err != nil {
			return nil, err
		}
		if all[name], err = scrape(ctx, client, config.Host+"/metrics", serverMetric, served); err != nil {
			return nil, fmt.Errorf("reading the metrics of cluster %s: %w", name, err)
		}
	}
	return all, nil
}

// own reads what the controller itself counts; nothing when none runs.
func (m *machines) own(ctx context.Context) (Counts, error) {
	if _, ok := m.fleet.Process(source, controller); !ok {
		return Counts{}, nil
	}
	counts, err := scrape(ctx, http.DefaultClient, m.fleet.ControllerMetricsURL(controller), clientMetric, sent)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of the controller: %w", err)
	}
	return counts, nil
}

func scrape(ctx context.Context, client *http.Client, url, metric string, kind func(map[string]string) Request) (Counts, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", url, resp.Status)
	}
	return parseRequests(resp.Body, metric, kind)
}

// rates measures requests a second of every cluster for as long as it is told.
func (m *machines) rates(ctx context.Context, d time.Duration) (map[string]Counts, error) {
	before, err := m.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	if err := sleep(ctx, d); err != nil {
		return nil, err
	}
	after, err := m.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	rates := map[string]Counts{}
	for name := range m.clients {
		rates[name] = after.requests[name].minus(before.requests[name], 1).per(after.at.Sub(before.at).Seconds())
	}
	return rates, nil
}
