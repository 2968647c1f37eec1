package follow

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/retry"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
)

// annotationSourceName is the name of a copy's source in full, where the label of the same key may be shortened.
const annotationSourceName = v1alpha1.LabelSourceName

// place is where a copy is, or is to be.
type place struct {
	kind          kind
	client        kubernetes.Interface
	target        string
	namespace     string
	sourceCluster string
	source        sourceKey
}

// ship makes the copy's content that of the source, with one GET and at most one write (two to replace what is immutable),
// and returns its UID.
func (p place) ship(ctx context.Context, want *content) (types.UID, error) {
	if want.Type == corev1.SecretTypeServiceAccountToken {
		return "", &RefusedError{Namespace: p.source.Namespace, Name: p.source.Name}
	}
	var uid types.UID
	err := retry.OnError(retry.DefaultRetry, isRace, func() error {
		found, err := p.kind.get(ctx, p.client, p.namespace, p.name())
		switch {
		case apierrors.IsNotFound(err):
			uid, err = p.create(ctx, want)
		case err != nil:
			err = p.wrap("reading", err)
		case !p.owns(found):
			err = p.foreign()
		case found.content.hash == want.hash:
			uid = found.meta.UID
		case want.replaces(&found.content):
			uid, err = p.replace(ctx, found, want)
		default:
			uid, err = p.update(ctx, found, want)
		}
		return err
	})
	return uid, err
}

// remove deletes the copy. One whose UID is not known is looked up; one that was replaced by somebody else is theirs.
func (p place) remove(ctx context.Context, uid types.UID) error {
	if uid == "" {
		found, err := p.kind.get(ctx, p.client, p.namespace, p.name())
		if apierrors.IsNotFound(err) || err == nil && !p.owns(found) {
			return nil
		}
		if err != nil {
			return p.wrap("reading", err)
		}
		uid = found.meta.UID
	}
	if err := p.delete(ctx, uid); !apierrors.IsConflict(err) {
		return err
	}
	return nil
}

func (p place) create(ctx context.Context, want *content) (types.UID, error) {
	made, err := p.kind.create(ctx, p.client, &object{p.identity(), *want})
	if err != nil {
		return "", p.wrap("creating", err)
	}
	return made.meta.UID, nil
}

func (p place) update(ctx context.Context, found *object, want *content) (types.UID, error) {
	// The resource version makes the update fail when somebody else was faster.
	made, err := p.kind.update(ctx, p.client, &object{found.meta, *want})
	if err != nil {
		return "", p.wrap("updating", err)
	}
	return made.meta.UID, nil
}

func (p place) replace(ctx context.Context, found *object, want *content) (types.UID, error) {
	if err := p.delete(ctx, found.meta.UID); err != nil {
		return "", err
	}
	return p.create(ctx, want)
}

// delete deletes the copy of this UID; what is gone is fine.
func (p place) delete(ctx context.Context, uid types.UID) error {
	err := p.kind.delete(ctx, p.client, p.namespace, p.name(), *metav1.NewPreconditionDeleteOptions(string(uid)))
	if err == nil || apierrors.IsNotFound(err) {
		return nil
	}
	return p.wrap("deleting", err)
}

func (p place) name() string {
	return delegate.ShippedName(p.sourceCluster, p.source.Namespace, p.source.Name)
}

func (p place) identity() metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace: p.namespace,
		Name:      p.name(),
		Labels: map[string]string{
			v1alpha1.LabelSourceCluster:   p.sourceCluster,
			v1alpha1.LabelSourceNamespace: p.source.Namespace,
			v1alpha1.LabelSourceName:      labelValue(p.source.Name),
		},
		Annotations: map[string]string{annotationSourceName: p.source.Name},
	}
}

// owns says whether an object is this copy. Names cannot collide by accident; what has the name nevertheless is not ours
// to overwrite.
func (p place) owns(found *object) bool {
	return found.meta.Labels[v1alpha1.LabelSourceCluster] == p.sourceCluster &&
		found.meta.Labels[v1alpha1.LabelSourceNamespace] == p.source.Namespace &&
		found.meta.Annotations[annotationSourceName] == p.source.Name
}

func (p place) wrap(doing string, err error) error {
	return fmt.Errorf("%s copy %s/%s of %s in target %s: %w", doing, p.namespace, p.name(), p.source, p.target, err)
}

// isRace says that somebody else wrote since we read; reading again helps.
func isRace(err error) bool { return apierrors.IsConflict(err) || apierrors.IsAlreadyExists(err) }

// labelValue shortens a name to what a label can hold.
func labelValue(name string) string {
	if len(name) <= 63 {
		return name
	}
	return strings.TrimRight(name[:63], "-.")
}
