package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const serverMetrics = `# TYPE apiserver_request_total counter
apiserver_request_total{code="201",group="",resource="pods",subresource="",verb="POST",version="v1",dry_run=""} 7
apiserver_request_total{code="201",group="",resource="pods",subresource="",verb="POST",version="v1",dry_run="All"} 2
apiserver_request_total{code="409",group="",resource="pods",subresource="",verb="POST",version="v1",dry_run=""} 1
apiserver_request_total{code="201",group="",resource="pods",subresource="binding",verb="POST",version="v1",dry_run=""} 5
apiserver_request_total{code="200",group="spillway.dev",resource="targets",subresource="status",verb="PATCH",version="v1alpha1"} 3
apiserver_request_total{code="0",group="",resource="pods",subresource="",verb="WATCH",version="v1",dry_run=""} 4
# TYPE other_total counter
other_total{verb="GET"} 100
`

func TestServerMetricsAreCountedByRequest(t *testing.T) {
	counts, err := parseRequests(strings.NewReader(serverMetrics), serverMetric, served)
	require.NoError(t, err)
	assert.Empty(t, cmp.Diff(Counts{
		{Verb: "POST", Resource: "pods"}:                         9,
		{Verb: "POST", Resource: "pods", Code: "409"}:            1,
		{Verb: "POST", Resource: "pods/binding"}:                 5,
		{Verb: "PATCH", Resource: "targets.spillway.dev/status"}: 3,
		{Verb: "WATCH", Resource: "pods"}:                        4,
	}, counts))
}

func TestClientMetricsAreCountedByServer(t *testing.T) {
	counts, err := parseRequests(strings.NewReader(`# TYPE rest_client_requests_total counter
rest_client_requests_total{code="201",host="127.0.0.1:1",method="POST"} 2
rest_client_requests_total{code="<error>",host="127.0.0.1:1",method="GET"} 1
`), clientMetric, sent)
	require.NoError(t, err)
	assert.Empty(t, cmp.Diff(Counts{
		{Verb: "POST", Resource: "127.0.0.1:1"}:                 2,
		{Verb: "GET", Resource: "127.0.0.1:1", Code: "<error>"}: 1,
	}, counts))
}

func TestBrokenMetricsAreAnError(t *testing.T) {
	_, err := parseRequests(strings.NewReader("apiserver_request_total{ 1\n"), serverMetric, served)
	assert.ErrorContains(t, err, "parsing metrics")
}

func TestWhatAClusterDoesByItselfIsSubtracted(t *testing.T) {
	post, get := Request{Verb: "POST", Resource: "pods"}, Request{Verb: "GET", Resource: "secrets"}
	before, after := Counts{post: 10, get: 5}, Counts{post: 30, get: 9}
	idle := Counts{get: 0.5} // a second
	assert.Empty(t, cmp.Diff(Counts{post: 1, get: 0.1}, after.minus(before, 1).minus(idle, 4).per(20)))
	assert.Equal(t, 30.0, after[post], "the counts that are subtracted from stay as they were")
}

func TestClass(t *testing.T) {
	tests := map[string]struct {
		of   Request
		want string
	}{
		"a pod's status follows a pod":  {Request{Verb: "PATCH", Resource: "pods/status"}, classMain},
		"a read of a Secret is told":    {Request{Verb: "GET", Resource: "secrets"}, classMain},
		"a watch is apart":              {Request{Verb: "WATCH", Resource: "pods"}, classApart},
		"a node's status is apart":      {Request{Verb: "PATCH", Resource: "nodes/status"}, classApart},
		"a Target's status is apart":    {Request{Verb: "PATCH", Resource: "targets.spillway.dev/status"}, classApart},
		"an access review is apart":     {Request{Verb: "POST", Resource: "selfsubjectaccessreviews"}, classApart},
		"an event is counted by itself": {Request{Verb: "POST", Resource: "events"}, classEvents},
		"a read of a policy is told":    {Request{Verb: "GET", Resource: "placementpolicies.spillway.dev"}, classMain},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, class(tt.of))
		})
	}
}
