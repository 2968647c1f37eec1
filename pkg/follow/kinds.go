package follow

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"github.com/spillway-dev/spillway/pkg/delegate"
)

// object is a ConfigMap or a Secret.
type object struct {
	meta    metav1.ObjectMeta
	content content
}

// kind is how objects of one kind are read and written.
type kind interface {
	example() runtime.Object
	decode(any) *object
	list(context.Context, kubernetes.Interface, string, metav1.ListOptions) (runtime.Object, error)
	watch(context.Context, kubernetes.Interface, string, metav1.ListOptions) (watch.Interface, error)
	get(ctx context.Context, c kubernetes.Interface, namespace, name string) (*object, error)
	create(context.Context, kubernetes.Interface, *object) (*object, error)
	update(context.Context, kubernetes.Interface, *object) (*object, error)
	delete(ctx context.Context, c kubernetes.Interface, namespace, name string, o metav1.DeleteOptions) error
}

// kindOf is the kind of each delegate.Reference.
var kindOf = map[string]kind{
	delegate.KindConfigMap: typed[*corev1.ConfigMap, *corev1.ConfigMapList]{
		empty: &corev1.ConfigMap{},
		client: func(c kubernetes.Interface, namespace string) api[*corev1.ConfigMap, *corev1.ConfigMapList] {
			return c.CoreV1().ConfigMaps(namespace)
		},
		from: func(m *corev1.ConfigMap) *object {
			return &object{m.ObjectMeta, newContent(m.Data, m.BinaryData, "", m.Immutable)}
		},
		to: func(o *object) *corev1.ConfigMap {
			return &corev1.ConfigMap{
				ObjectMeta: o.meta, Data: o.content.Text, BinaryData: o.content.Binary, Immutable: o.content.immutable(),
			}
		},
	},
	delegate.KindSecret: typed[*corev1.Secret, *corev1.SecretList]{
		empty: &corev1.Secret{},
		client: func(c kubernetes.Interface, namespace string) api[*corev1.Secret, *corev1.SecretList] {
			return c.CoreV1().Secrets(namespace)
		},
		from: func(s *corev1.Secret) *object {
			return &object{s.ObjectMeta, newContent(nil, s.Data, s.Type, s.Immutable)}
		},
		to: func(o *object) *corev1.Secret {
			return &corev1.Secret{
				ObjectMeta: o.meta, Data: o.content.Binary, Type: o.content.Type, Immutable: o.content.immutable(),
			}
		},
	},
}

// api is the part that is used of a kind's typed client.
type api[T, L any] interface {
	List(context.Context, metav1.ListOptions) (L, error)
	Watch(context.Context, metav1.ListOptions) (watch.Interface, error)
	Get(context.Context, string, metav1.GetOptions) (T, error)
	Create(context.Context, T, metav1.CreateOptions) (T, error)
	Update(context.Context, T, metav1.UpdateOptions) (T, error)
	Delete(context.Context, string, metav1.DeleteOptions) error
}

// typed makes a kind of a typed client and two conversions.
type typed[T, L runtime.Object] struct {
	empty  T
	client func(c kubernetes.Interface, namespace string) api[T, L]
	from   func(T) *object
	to     func(*object) T
}

func (k typed[T, L]) example() runtime.Object { return k.empty }

func (k typed[T, L]) decode(from any) *object { return k.from(from.(T)) }

func (k typed[T, L]) list(
	ctx context.Context, c kubernetes.Interface, namespace string, o metav1.ListOptions,
) (runtime.Object, error) {
	return k.client(c, namespace).List(ctx, o)
}

func (k typed[T, L]) watch(
	ctx context.Context, c kubernetes.Interface, namespace string, o metav1.ListOptions,
) (watch.Interface, error) {
	return k.client(c, namespace).Watch(ctx, o)
}

func (k typed[T, L]) get(ctx context.Context, c kubernetes.Interface, namespace, name string) (*object, error) {
	return k.result(k.client(c, namespace).Get(ctx, name, metav1.GetOptions{}))
}

func (k typed[T, L]) create(ctx context.Context, c kubernetes.Interface, o *object) (*object, error) {
	return k.result(k.client(c, o.meta.Namespace).Create(ctx, k.to(o), metav1.CreateOptions{}))
}

func (k typed[T, L]) update(ctx context.Context, c kubernetes.Interface, o *object) (*object, error) {
	return k.result(k.client(c, o.meta.Namespace).Update(ctx, k.to(o), metav1.UpdateOptions{}))
}

func (k typed[T, L]) delete(
	ctx context.Context, c kubernetes.Interface, namespace, name string, o metav1.DeleteOptions,
) error {
	return k.client(c, namespace).Delete(ctx, name, o)
}

func (k typed[T, L]) result(got T, err error) (*object, error) {
	if err != nil {
		return nil, err
	}
	return k.from(got), nil
}
