package schedulerplugin

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestAFenceHoldsUntilItIsDropped(t *testing.T) {
	f := newFences()
	assert.True(t, f.set("pod", "cloud"))
	assert.False(t, f.set("pod", "heata"), "one delegate at a time")
	assert.Equal(t, "cloud", f.get("pod"))
	assert.Empty(t, f.get("other"))
	assert.True(t, f.unmarked("cloud"))
	assert.False(t, f.unmarked("heata"))
	f.mark("pod")
	assert.True(t, f.marked("pod"))
	assert.False(t, f.unmarked("cloud"), "the pod tells of it")
	f.drop("pod")
	assert.Empty(t, f.get("pod"))
	assert.False(t, f.marked("pod"))
}

func TestADelegateThatCannotBeTakenBackHoldsItsPodAndMarksIt(t *testing.T) {
	p, _ := newPlugin(t, nil)
	client := fake.NewClientset(electedPod())
	p.handle.(*handle).client = client
	var away atomic.Bool
	away.Store(true)
	cloud := newTarget(t, v1alpha1.TargetSpec{}, func(w http.ResponseWriter, _ *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	p.sends.begin("uid-1", "cloud")
	created := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-x", UID: "remote-1"}}

	p.takeBackOrFence(t.Context(), cloud, electedPod(), created)
	p.sends.end("uid-1")

	_, status := p.PreFilter(t.Context(), framework.NewCycleState(), electedPod(), nil)
	assert.Contains(t, status.Message(), "cloud may have a delegate of this pod (it could not be taken back yet): the pod waits for that target")
	patched := client.Actions()[0].(clienttesting.PatchAction)
	assert.Equal(t, "status", patched.GetSubresource())
	assert.Contains(t, string(patched.GetPatch()), `"type":"unconfirmed.spillway.dev/cloud","status":"True"`)
	assert.Contains(t, string(patched.GetPatch()), `"uid":"uid-1"`, "never another pod of that name")
	assert.False(t, p.Unsettled("cloud"), "the mark is enough for the next process")
	assert.True(t, p.Marked("uid-1"))
}

func TestALiftedFenceLetsThePodGo(t *testing.T) {
	p, _ := newPlugin(t, nil)
	client := fake.NewClientset(electedPod())
	p.handle.(*handle).client = client
	cloud := newTarget(t, v1alpha1.TargetSpec{}, func(http.ResponseWriter, *http.Request) {})
	p.fences.set("uid-1", "cloud")
	p.fences.mark("uid-1")

	p.lift(t.Context(), cloud, electedPod(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-x", UID: "remote-1"}})

	assert.Empty(t, p.fences.get("uid-1"))
	assert.Contains(t, string(client.Actions()[0].(clienttesting.PatchAction).GetPatch()), `"status":"False"`)
	select {
	case pods := <-p.handle.(*handle).activated:
		assert.Contains(t, pods, "shop/web")
	case <-time.After(10 * time.Second):
		t.Fatal("the pod was not woken")
	}
}

func TestADelegateThatEndsSlowlyIsNotGoneYet(t *testing.T) {
	for name, test := range map[string]struct {
		grace *int64
		want  string
	}{
		"it has no node, so it is gone":         {ptr.To[int64](0), ""},
		"its node's kubelet is ending it still": {ptr.To[int64](30), reasonDelegateEnding},
	} {
		t.Run(name, func(t *testing.T) {
			answer := &corev1.Pod{TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-x", UID: "remote-1", DeletionGracePeriodSeconds: test.grace}}
			cloud := newTarget(t, v1alpha1.TargetSpec{}, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(answer)
			})
			err := takeBack(t.Context(), cloud, answer)
			if test.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, test.want)
		})
	}
}
