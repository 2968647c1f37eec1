package events

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
	watchtools "k8s.io/client-go/tools/watch"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

const (
	labelSourceUID = v1alpha1.LabelSourceUID
	aboutPods      = "involvedObject.kind=Pod"
	pageSize       = 500
)

// The pauses before a target is asked again for its events: after a failure, and after it has said that they may not be read.
const (
	failedPause    = 10 * time.Second
	forbiddenPause = time.Minute
)

// watcher reads the events of one target. It is no informer, which would keep all of them, also those about others' pods.
type watcher struct {
	teller *Teller
	target *target.Target
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

func (w *watcher) start(ctx context.Context) {
	ctx, w.cancel = context.WithCancel(ctx)
	w.wg.Go(func() { w.run(ctx) })
}

func (w *watcher) stop() {
	if w.cancel != nil {
		w.cancel()
		w.wg.Wait()
	}
}

func (w *watcher) run(ctx context.Context) {
	forbidden := false
	for ctx.Err() == nil {
		pause := failedPause
		err := w.read(ctx)
		switch {
		case err == nil: // too much has happened since it was last heard of: it is read anew
			pause = 0
		case apierrors.IsForbidden(err):
			if pause = forbiddenPause; !forbidden {
				ctrllog.FromContext(ctx).Info("events may not be read", "target", w.target.Name())
			}
		default:
			ctrllog.FromContext(ctx).V(1).Info("reading events failed, trying again", "target", w.target.Name(), "error", err.Error())
		}
		forbidden = apierrors.IsForbidden(err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// read takes the events that there are, page by page, and then each as it comes, until the target cannot tell them without a
// gap.
func (w *watcher) read(ctx context.Context) error {
	if !cache.WaitForCacheSync(ctx.Done(), w.target.Synced) {
		return ctx.Err()
	}
	if err := w.recall(ctx); err != nil {
		return err
	}
	options := metav1.ListOptions{FieldSelector: aboutPods, Limit: pageSize}
	for {
		page, err := w.target.Client().CoreV1().Events(w.target.DelegateNamespace()).List(ctx, options)
		if err != nil {
			return fmt.Errorf("listing events: %w", err)
		}
		for i := range page.Items {
			w.teller.seen(w.target, page.Items[i].DeepCopy()) // a copy does not keep the page
		}
		if options.Continue = page.Continue; page.Continue == "" {
			return w.follow(ctx, page.ResourceVersion)
		}
	}
}

func (w *watcher) follow(ctx context.Context, version string) error {
	news, err := watchtools.NewRetryWatcherWithContext(ctx, version, &cache.ListWatch{
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = aboutPods
			return w.target.Client().CoreV1().Events(w.target.DelegateNamespace()).Watch(ctx, o)
		}})
	if err != nil {
		return fmt.Errorf("watching events: %w", err)
	}
	defer news.Stop()
	for n := range news.ResultChan() {
		event, ok := n.Object.(*corev1.Event)
		switch {
		case !ok: // an error that ends it, such as a version that is too old
		case n.Type == watch.Deleted:
			w.teller.forget(w.target, event)
		default:
			w.teller.seen(w.target, event)
		}
	}
	return nil
}

// recall learns what was told before, so that a restart tells nothing again.
func (w *watcher) recall(ctx context.Context) error {
	told, options := counts{}, metav1.ListOptions{LabelSelector: v1alpha1.LabelTarget + "=" + w.target.Name(), Limit: pageSize}
	for {
		page, err := w.teller.Client.CoreV1().Events(metav1.NamespaceAll).List(ctx, options)
		if err != nil {
			return fmt.Errorf("listing what was told before: %w", err)
		}
		for i := range page.Items {
			event := &page.Items[i]
			told[event.Name[strings.LastIndexByte(event.Name, '.')+1:]] = event.Count
		}
		if options.Continue = page.Continue; page.Continue == "" {
			w.teller.recalled(w.target, told)
			return nil
		}
	}
}
