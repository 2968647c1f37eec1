package schedulerplugin

import (
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/tools/cache"

	"github.com/spillway-dev/spillway/pkg/target"
)

// watchSource notices what in the source ends a refusal or a wait: a namespace's labels, a pod's deletion.
func (p *Plugin) watchSource(factory informers.SharedInformerFactory) error {
	_, err := factory.Core().V1().Namespaces().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		// A pod may be here before the namespace that it was created in, and was then refused.
		AddFunc: func(obj any) { p.waiting.callNamespace(obj.(*corev1.Namespace).Name) },
		UpdateFunc: func(old, obj any) {
			if was, is := old.(*corev1.Namespace), obj.(*corev1.Namespace); !maps.Equal(was.Labels, is.Labels) {
				p.waiting.callNamespace(is.Name)
			}
		},
		DeleteFunc: func(obj any) {
			if gone, ok := target.Untomb(obj).(*corev1.Namespace); ok {
				p.waiting.forget(namespaceKey(gone.Name))
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watching namespaces: %w", err)
	}
	_, err = factory.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		DeleteFunc: func(obj any) {
			if pod, ok := target.Untomb(obj).(*corev1.Pod); ok {
				p.waiting.remove(pod.UID)
				p.refusals.dropPod(pod.UID)
				for _, name := range p.losses.targets() {
					if p.losses.unreserve(name, pod.UID) {
						p.waiting.tell(name, changed)
					}
				}
			}
		},
	})
	if err != nil {
		return fmt.Errorf("watching pods: %w", err)
	}
	return nil
}
