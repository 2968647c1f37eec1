package events

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spillway-dev/spillway/pkg/delegate"
	"github.com/spillway-dev/spillway/pkg/target"
)

// verdict is what is to be done about an event.
type verdict string

const (
	drop  verdict = "drop"
	await verdict = "await" // its delegate may be on its way here
	write verdict = "write"
)

// decide is pure. told is the count that was told before; pod is what the event is about.
func decide(t *target.Target, event *corev1.Event, told int32, pod, source *corev1.Pod) verdict {
	switch {
	case event == nil || told >= delegate.EventCount(event):
		return drop
	case pod == nil:
		return await
	case pod.UID != event.InvolvedObject.UID || !t.IsDelegate(pod): // another pod that once had the name, or somebody else's
		return drop
	case source == nil:
		return await
	case source.Spec.NodeName != "" && source.Spec.NodeName != t.NodeName():
		return drop // it went elsewhere
	}
	return write
}

// tell writes one event, if it is still to be written. It returns false to be asked again.
func (e *Teller) tell(ctx context.Context, k key) bool {
	e.mu.Lock()
	event, told, w := e.pending[k], e.toldOf(k), e.watchers[k.target]
	e.mu.Unlock()
	if event == nil || w == nil {
		return true
	}
	pod := delegateOf(w.target, event)
	var source *corev1.Pod
	if pod != nil {
		source = e.Pods.Source(types.UID(pod.Labels[labelSourceUID]))
	}
	switch decide(w.target, event, told, pod, source) {
	case drop:
		return e.done(k, event, told)
	case await:
		return false
	}
	if !e.bucket(source.UID).TryAccept() {
		return e.done(k, event, told)
	}
	want := delegate.Event(source, event, delegate.StatusOptions{Target: k.target, Now: metav1.NewTime(e.Clock.Now())})
	err := e.write(ctx, want, told > 0)
	switch {
	case err == nil:
		return e.done(k, event, want.Count)
	case apierrors.IsForbidden(err) || apierrors.IsNotFound(err) || apierrors.IsInvalid(err): // such as a namespace that ends
		ctrllog.FromContext(ctx).V(1).Info("dropped event", "pod", want.Namespace+"/"+want.InvolvedObject.Name, "reason", want.Reason, "error", err.Error())
		return e.done(k, event, told)
	}
	ctrllog.FromContext(ctx).V(1).Info("event was not written", "pod", want.Namespace+"/"+want.InvolvedObject.Name, "error", err.Error())
	return false
}

// write is one request: another only where what was told before has expired here, or was told by a process before this.
func (e *Teller) write(ctx context.Context, want *corev1.Event, known bool) error {
	if known {
		if err := e.count(ctx, want); !apierrors.IsNotFound(err) {
			return err
		}
	}
	_, err := e.Client.CoreV1().Events(want.Namespace).Create(ctx, want, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return e.count(ctx, want)
	}
	if err != nil {
		return fmt.Errorf("telling what happened to %s/%s: %w", want.Namespace, want.InvolvedObject.Name, err)
	}
	return nil
}

func (e *Teller) count(ctx context.Context, want *corev1.Event) error {
	patch, err := delegate.EventPatch(want)
	if err != nil {
		return err
	}
	_, err = e.Client.CoreV1().Events(want.Namespace).Patch(ctx, want.Name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("telling again what happened to %s/%s: %w", want.Namespace, want.InvolvedObject.Name, err)
	}
	return nil
}

// done notes what was told. What has come meanwhile stays, and has asked for its own turn.
func (e *Teller) done(k key, event *corev1.Event, told int32) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.pending[k] == event {
		delete(e.pending, k)
	}
	if known := e.told[k.target]; known != nil && told > 0 {
		known[delegate.EventID(k.target, k.uid)] = told
	}
	return true
}

// delegateOf finds the pod that an event is about, as far as the target's watch has it.
func delegateOf(t *target.Target, event *corev1.Event) *corev1.Pod {
	obj, ok, _ := t.Pods().GetStore().GetByKey(cache.NewObjectName(event.InvolvedObject.Namespace, event.InvolvedObject.Name).String())
	if !ok {
		return nil
	}
	return obj.(*corev1.Pod)
}
