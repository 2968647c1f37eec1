package mirror

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

// collectAfter is how long a delegate must have been known here before its source, if it was never seen, is asked for. When
// it was created is no measure: that is by the target's clock.
const collectAfter = 20 * time.Second

// collect deletes a delegate without source, after the API server confirms it: a cache that lost a pod because somebody
// removed its label must not cost the pod its life. A source that was never seen gets time first: the watch that brings
// it may be behind the one that brought its delegate.
func (m *Mirror) collect(ctx context.Context, p pair) (time.Duration, error) {
	if wait := collectAfter - m.orphanedFor(p.delegate.UID); p.departed == nil && wait > 0 {
		return wait, nil
	}
	source, err := m.sourceOf(ctx, p)
	if err != nil {
		return 0, err
	}
	if source != nil {
		return collectAfter, m.relabel(ctx, source)
	}
	ctrllog.FromContext(ctx).Info("collecting delegate whose source pod is gone", "target", p.target.Name(),
		"delegate", p.delegate.Namespace+"/"+p.delegate.Name)
	return 0, m.deleteDelegate(ctx, p)
}

// orphanedFor is how long ago a delegate was first seen without its source.
func (m *Mirror) orphanedFor(delegate types.UID) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.Clock.Now()
	if _, ok := m.orphans[delegate]; !ok {
		m.orphans[delegate] = now
	}
	return now.Sub(m.orphans[delegate])
}

// sourceOf asks the API server for the delegate's source pod; nil when it is gone.
func (m *Mirror) sourceOf(ctx context.Context, p pair) (*corev1.Pod, error) {
	from, _ := delegate.SourceOf(p.delegate)
	name := p.delegate.Labels[v1alpha1.LabelSourceName]
	if p.departed != nil {
		name = p.departed.Name
	}
	source, err := m.Client.CoreV1().Pods(from.Namespace).Get(ctx, name, metav1.GetOptions{})
	switch {
	case err == nil && source.UID == from.UID:
		return source, nil
	case err != nil && !apierrors.IsNotFound(err):
		return nil, fmt.Errorf("asking whether the source of delegate %s/%s exists: %w", p.delegate.Namespace, p.delegate.Name, err)
	case p.departed != nil || len(name) < validation.LabelValueMaxLength:
		return nil, nil
	}
	return m.sourceAmongAll(ctx, from) // the label has only the beginning of a long name
}

func (m *Mirror) sourceAmongAll(ctx context.Context, from delegate.Source) (*corev1.Pod, error) {
	pods, err := m.Client.CoreV1().Pods(from.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("looking for pod %s in namespace %s: %w", from.UID, from.Namespace, err)
	}
	for i := range pods.Items {
		if pods.Items[i].UID == from.UID {
			return &pods.Items[i], nil
		}
	}
	return nil, nil
}

// relabel gives a pod back the label by which it is watched.
func (m *Mirror) relabel(ctx context.Context, source *corev1.Pod) error {
	if source.Labels[v1alpha1.LabelElected] == v1alpha1.ElectedTrue {
		return nil // it is only late
	}
	body := fmt.Appendf(nil, `{"metadata":{"uid":%q,"labels":{%q:%q}}}`, source.UID, v1alpha1.LabelElected, v1alpha1.ElectedTrue)
	err := m.Client.CoreV1().RESTClient().Patch(types.StrategicMergePatchType).Namespace(source.Namespace).Resource("pods").
		Name(source.Name).Body(body).Do(ctx).Error()
	if err != nil && !goneOrReplaced(err) {
		return fmt.Errorf("labelling %s/%s again: %w", source.Namespace, source.Name, err)
	}
	return nil
}
