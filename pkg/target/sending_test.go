package target

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestWhenATargetCountsAsSending(t *testing.T) {
	good := Health{Reachable: true, Reason: ReasonReachable, Rights: &Rights{}}
	away := Health{Reason: ReasonUnreachable, Rights: &Rights{}}
	tests := map[string]struct {
		was   bool
		facts facts
		want  bool
	}{
		"pods may go there":                                              {facts: facts{health: good, synced: true}, want: true},
		"it was lost, and some were on their way":                        {was: true, facts: facts{health: away, synced: true, unsettled: true}, want: true},
		"it was lost, and all that were sent are accounted for":          {was: true, facts: facts{health: away, synced: true}},
		"a process that has not read it knows less than the last":        {was: true, facts: facts{health: away}, want: true},
		"and what the last had settled stays so":                         {facts: facts{health: away}},
		"one whose virtual node is cordoned, for those that tolerate it": {facts: facts{health: good, synced: true, cordoned: true}, want: true},
		"a new kubeconfig that is bad says nothing of what is there":     {was: true, facts: facts{connected: errors.New("no Secret")}, want: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.facts.object = &v1alpha1.Target{Status: v1alpha1.TargetStatus{Sending: test.was}}
			assert.Equal(t, test.want, decide(test.facts).Sending)
		})
	}
}

func TestATargetOpensAfterItsStatusSaysSoAndClosesBefore(t *testing.T) {
	var live *Target
	var written []string // the patch, and whether pods could be sent meanwhile
	fail := error(nil)
	api := statusClient{patch: func(object client.Object, patch client.Patch) error {
		body, err := patch.Data(object)
		require.NoError(t, err)
		written = append(written, map[bool]string{true: "open", false: "closed"}[live.open.Load()]+" "+string(body))
		return fail
	}}
	c := NewController(ControllerOptions{Client: api, Registry: &Registry{}, Sends: &settled})
	object := &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: "cloud"}}
	live, err := New(Options{Object: object, Config: &rest.Config{Host: "https://cloud"}, Notify: func(string) {}})
	require.NoError(t, err)
	c.Registry.Add(live)
	woken := 0
	live.OnOpen(func() { woken++ })
	write := func(status v1alpha1.TargetStatus) error { return c.writeStatus(t.Context(), object, status) }
	sending := v1alpha1.TargetStatus{Sending: true}

	fail = errors.New("no answer")
	require.ErrorIs(t, write(sending), fail)
	assert.False(t, live.open.Load(), "it may not be written")
	fail = nil
	require.NoError(t, write(sending))
	assert.True(t, live.open.Load())
	assert.Equal(t, 1, woken)

	object = &v1alpha1.Target{ObjectMeta: object.ObjectMeta, Status: sending}
	require.NoError(t, write(v1alpha1.TargetStatus{}))
	assert.False(t, live.open.Load())
	require.NoError(t, write(sending), "while the cache still shows the write before the last")
	assert.Equal(t, []string{
		`closed {"status":{"sending":true}}`,
		`closed {"status":{"sending":true}}`,
		`closed {"status":{"sending":null}}`,
		`closed {"status":{"sending":true}}`,
	}, written)
}

// settled has nothing on its way.
var settled sends

type sends struct{}

func (*sends) Unsettled(*Target) bool { return false }

// statusClient only writes status.
type statusClient struct {
	client.Client
	patch func(client.Object, client.Patch) error
}

func (c statusClient) Status() client.SubResourceWriter { return statusWriter{patch: c.patch} }

type statusWriter struct {
	client.SubResourceWriter
	patch func(client.Object, client.Patch) error
}

func (w statusWriter) Patch(_ context.Context, object client.Object, patch client.Patch, _ ...client.SubResourcePatchOption) error {
	return w.patch(object, patch)
}
