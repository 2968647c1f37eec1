package schedulerplugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

func TestAwaitScheduled(t *testing.T) {
	pending := &corev1.Pod{}
	scheduled := &corev1.Pod{Spec: corev1.PodSpec{NodeName: "node-1"}}
	condition := func(reason string) *corev1.Pod {
		return &corev1.Pod{Status: corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodScheduled,
			Status: corev1.ConditionFalse, Reason: reason, Message: "0/2 nodes are available: 2 Insufficient cpu."}}}}
	}
	tests := map[string]struct {
		created *corev1.Pod
		states  []target.Delegate
		want    string // of the error; "" when it was scheduled
	}{
		"a delegate that was adopted on its node needs no wait": {created: scheduled},
		"a delegate that the target schedules":                  {created: pending, states: []target.Delegate{{Pod: pending}, {Pod: scheduled}}},
		"a delegate that the target cannot schedule, in the target's words": {
			created: pending, states: []target.Delegate{{Pod: condition(corev1.PodReasonUnschedulable)}},
			want: "0/2 nodes are available: 2 Insufficient cpu."},
		"a delegate that was adopted and could not be scheduled": {
			created: condition(corev1.PodReasonUnschedulable), want: "0/2 nodes are available: 2 Insufficient cpu."},
		"a scheduler's error is not the target's answer": {
			created: pending, states: []target.Delegate{{Pod: condition(corev1.PodReasonSchedulerError)}, {Pod: scheduled}}},
		"a delegate that the target deletes": {
			created: pending, states: []target.Delegate{{Pod: pending}, {}}, want: "deleted the delegate before it was scheduled"},
		"a target that says nothing": {created: pending, want: "did not schedule the delegate within 1s"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			states := make(chan target.Delegate, len(test.states))
			for _, s := range test.states {
				states <- s
			}
			ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, fmt.Errorf(reasonNotScheduled, time.Second))
			defer cancel()
			err := awaitScheduled(ctx, states, test.created, errors.New)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.want)
		})
	}
}

func TestNamespaceMissing(t *testing.T) {
	missing := apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "shop")
	tests := map[string]struct {
		err  error
		want bool
	}{
		"nothing failed":               {nil, false},
		"the namespace is missing":     {missing, true},
		"the same inside another":      {fmt.Errorf("shipping: %w", fmt.Errorf("creating ConfigMap: %w", missing)), true},
		"another thing is missing":     {apierrors.NewNotFound(schema.GroupResource{Resource: "serviceaccounts"}, "web"), false},
		"the namespace is not allowed": {apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, "shop", nil), false},
		"an error of the network":      {errors.New("connection refused"), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, namespaceMissing(test.err))
		})
	}
}

// recorded is an API server that answers every request with a code and notes them.
type recorded struct {
	mu    sync.Mutex
	calls []string
	code  int
}

func (r *recorded) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, q.Method+" "+q.URL.Path)
	w.Header().Set("Content-Type", "application/json")
	status := metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: metav1.StatusFailure, Code: int32(r.code)}
	switch r.code {
	case http.StatusOK:
		_, _ = w.Write([]byte(`{"kind":"Namespace","apiVersion":"v1","metadata":{"name":"shop"}}`))
		return
	case http.StatusConflict:
		status.Reason = metav1.StatusReasonAlreadyExists
		if q.Method == http.MethodDelete { // the precondition on the UID did not hold
			status.Reason = metav1.StatusReasonConflict
		}
	case http.StatusNotFound:
		status.Reason = metav1.StatusReasonNotFound
	default:
		status.Reason = metav1.StatusReasonForbidden
	}
	w.WriteHeader(r.code)
	_ = json.NewEncoder(w).Encode(status)
}

func TestWithNamespace(t *testing.T) {
	missing := apierrors.NewNotFound(schema.GroupResource{Resource: "namespaces"}, "shop")
	create := []string{"POST /api/v1/namespaces"}
	tests := map[string]struct {
		answers   []error // of what is done
		mayCreate bool
		code      int
		wantCalls []string
		wantError string
	}{
		"what succeeds asks nothing":                       {answers: []error{nil}, mayCreate: true},
		"another failure creates nothing":                  {answers: []error{errors.New("quota")}, mayCreate: true, wantError: "quota"},
		"a missing namespace is created and it is retried": {answers: []error{missing, nil}, mayCreate: true, code: 200, wantCalls: create},
		"one that another pod just created is used":        {answers: []error{missing, nil}, mayCreate: true, code: 409, wantCalls: create},
		"one that may not be created says what to do": {answers: []error{missing},
			wantError: "no namespace shop, and its Target does not allow to create it: create it there, or set spec.namespaces.create"},
		"one that the target refuses says so": {answers: []error{missing}, mayCreate: true, code: 403, wantCalls: create,
			wantError: "creating namespace shop"},
		"it is tried twice at most": {answers: []error{missing, missing}, mayCreate: true, code: 200, wantCalls: create, wantError: "not found"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			server := &recorded{code: test.code}
			cloud := newTarget(t, v1alpha1.TargetSpec{Namespaces: v1alpha1.NamespaceMapping{Create: test.mayCreate}}, server.ServeHTTP)
			done := 0
			err := withNamespace(t.Context(), cloud, "shop", func() error { done++; return test.answers[done-1] })
			assert.Equal(t, test.wantCalls, server.calls)
			assert.Len(t, test.answers, done)
			if test.wantError == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, test.wantError)
		})
	}
}

func TestTakeBack(t *testing.T) {
	for code, confirmed := range map[int]bool{200: true, 404: true, 409: true, 403: false} {
		server := &recorded{code: code}
		cloud := newTarget(t, v1alpha1.TargetSpec{}, server.ServeHTTP)
		err := takeBack(t.Context(), cloud, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-x", UID: "remote-1"}})
		assert.Equal(t, confirmed, err == nil, "%d: %v", code, err)
		assert.Equal(t, []string{"DELETE /api/v1/namespaces/shop/pods/web-x"}, server.calls)
	}
}

func TestARefusalIsRememberedAndNamesTheTarget(t *testing.T) {
	p, clock := newPlugin(t, nil)
	cloud := newTarget(t, v1alpha1.TargetSpec{}, nil)
	c := &cycle{shape: shapeOf(electedPod())}
	err := noRoom(errors.New("2 Insufficient cpu"))
	p.remember(c, cloud, electedPod(), err)
	assert.Equal(t, "cloud: 2 Insufficient cpu", p.refuse(cloud, err).Message())
	clock.SetTime(noon.Add(4 * time.Second))
	found := &place{}
	assert.Equal(t, "refused it at 12:00:00Z: 2 Insufficient cpu", p.refusedBefore(c, electedPod(), &room{target: cloud}, found))
	assert.True(t, found.forRoom)
	other := electedPod(func(p *corev1.Pod) { p.Name, p.UID = "web-2", "uid-2" })
	assert.Equal(t, "refused a pod like it at 12:00:00Z: 2 Insufficient cpu", p.refusedBefore(c, other, &room{target: cloud}, found))
	clock.SetTime(noon.Add(refusalBase))
	assert.Empty(t, p.refusedBefore(c, electedPod(), &room{target: cloud}, found))
}

func TestWhenSettled(t *testing.T) {
	early := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "web", errors.New(`error looking up service account shop/default: serviceaccount "default" not found`))
	quota := apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "web", errors.New("exceeded quota"))
	tests := map[string]struct {
		answers   []error
		wantError error
	}{
		"a namespace that is set up":                       {answers: []error{nil}},
		"a namespace that has its account a moment later":  {answers: []error{early, fmt.Errorf("refused: %w", early), nil}},
		"another refusal is the target's answer":           {answers: []error{quota}, wantError: quota},
		"another refusal after the account came, likewise": {answers: []error{early, quota}, wantError: quota},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			tries := 0
			err := whenSettled(t.Context(), func() error {
				tries++
				return test.answers[tries-1]
			})
			assert.Equal(t, test.wantError, err)
			assert.Len(t, test.answers, tries)
		})
	}
}

func TestRefused(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	tests := map[string]struct {
		err  error
		want bool
	}{
		"a quota says no":                       {fmt.Errorf("refused: %w", apierrors.NewForbidden(pods, "web", errors.New("exceeded quota"))), true},
		"the target finds the pod invalid":      {apierrors.NewInvalid(schema.GroupKind{Kind: "Pod"}, "web", nil), true},
		"the target failed, who knows when":     {apierrors.NewInternalError(errors.New("etcd")), false},
		"an earlier attempt's may be there":     {apierrors.NewAlreadyExists(pods, "web"), false},
		"the answer was lost":                   {context.DeadlineExceeded, false},
		"the target gave up waiting for itself": {apierrors.NewTimeoutError("later", 1), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) { assert.Equal(t, test.want, refused(test.err)) })
	}
}

func TestWhatHasTheNameOfALostDelegateIsOnlyTakenBackIfItIsThatDelegate(t *testing.T) {
	delegate := &corev1.Pod{TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-x", Labels: map[string]string{
		v1alpha1.LabelSourceCluster: "here", v1alpha1.LabelTarget: "cloud", v1alpha1.LabelSourceUID: "uid-1"}}}
	stranger := delegate.DeepCopy()
	stranger.Labels[v1alpha1.LabelTarget] = "heata"
	const get, remove = "GET /api/v1/namespaces/shop/pods/web-x", "DELETE /api/v1/namespaces/shop/pods/web-x"
	for name, test := range map[string]struct {
		found *corev1.Pod
		want  []string
	}{
		"it is":                  {delegate, []string{get, remove}},
		"it is another Target's": {stranger, []string{get}},
	} {
		t.Run(name, func(t *testing.T) {
			var calls []string
			cloud := newTarget(t, v1alpha1.TargetSpec{}, func(w http.ResponseWriter, r *http.Request) {
				calls = append(calls, r.Method+" "+r.URL.Path)
				w.Header().Set("Content-Type", "application/json")
				found := test.found.DeepCopy()
				found.UID = "remote-1"
				_ = json.NewEncoder(w).Encode(found)
			})
			require.NoError(t, takeBack(t.Context(), cloud, delegate))
			assert.Equal(t, test.want, calls)
		})
	}
}
