package mirror

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

// WatchStrays looks after pods that are on a virtual node without being elected: those of DaemonSets that tolerate every
// taint, and those whose user wrote nodeName. They are not run, and not failed either, because a DaemonSet would make
// another at once, but told why they wait; and their deletion ends only when somebody confirms it, as a kubelet would.
func (m *Mirror) WatchStrays(pods cache.SharedIndexInformer) error {
	note := func(old, obj any) {
		pod, ok := obj.(*corev1.Pod)
		if !ok || !isStray(pod) {
			return
		}
		if was, ok := old.(*corev1.Pod); ok && isStray(was) && pod.DeletionTimestamp == nil {
			return // told already
		}
		m.mu.Lock()
		m.strays[pod.UID] = pod
		m.mu.Unlock()
		m.queue.Add(pod.UID)
	}
	_, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { note(nil, obj) },
		UpdateFunc: note,
		DeleteFunc: func(obj any) { // a standby tends none
			if pod, ok := target.Untomb(obj).(*corev1.Pod); ok {
				m.mu.Lock()
				delete(m.strays, pod.UID)
				m.mu.Unlock()
			}
		},
	})
	return err
}

func isStray(pod *corev1.Pod) bool {
	return strings.HasPrefix(pod.Spec.NodeName, v1alpha1.VirtualNodePrefix) && pod.Labels[v1alpha1.LabelElected] != v1alpha1.ElectedTrue
}

// tendStray ends the deletion of a stray, if this is one, or tells why it waits.
func (m *Mirror) tendStray(ctx context.Context, uid types.UID) error {
	m.mu.Lock()
	stray := m.strays[uid]
	delete(m.strays, uid)
	m.mu.Unlock()
	if stray == nil {
		return nil
	}
	on := m.Registry.ByNode(stray.Spec.NodeName)
	if on == nil {
		return nil
	}
	if stray.DeletionTimestamp == nil {
		m.Recorder.Eventf(stray, nil, corev1.EventTypeWarning, reasonNotElected, actionMirror, messageStray, on.Name())
		return nil
	}
	if err := m.finishSource(ctx, stray); err != nil {
		m.mu.Lock()
		m.strays[uid] = stray // for the next try
		m.mu.Unlock()
		return err
	}
	return nil
}
