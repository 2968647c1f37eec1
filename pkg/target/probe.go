package target

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/tools/cache"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// missesAllowed probes in a row may fail before a target counts as unreachable: one lost packet is no outage.
	missesAllowed = 2
	// rightsInterval between questions about rights, which seldom change and cost a request each.
	rightsInterval = 5 * time.Minute
)

// probe asks for the API server's version again and again: the cheapest request, open to every authenticated user.
func (t *Target) probe(ctx context.Context, interval time.Duration) {
	misses, rightsAt := missesAllowed, time.Time{} // the first failure counts at once: nothing was ever reachable
	// Probes begin at the interval, however long each waits for its answer: three unanswered ones take 20 s, not 30.
	wait.NonSlidingUntilWithContext(ctx, func(ctx context.Context) {
		next := t.ask(ctx, interval)
		if next.Reachable {
			misses = 0
		} else if misses++; misses <= missesAllowed {
			return
		}
		old := t.Health()
		next.Rights = old.Rights
		if next.Reachable && (time.Since(rightsAt) > rightsInterval || next.Rights == nil || len(next.Rights.Missing) > 0) {
			next.Rights, rightsAt = t.askRights(ctx), time.Now()
		}
		t.setHealth(ctx, next)
	}, interval)
}

// ask makes one request, which may take as long as the interval.
func (t *Target) ask(ctx context.Context, interval time.Duration) Health {
	ctx, cancel := context.WithTimeout(ctx, interval)
	defer cancel()
	start := time.Now()
	body, err := t.client.Discovery().RESTClient().Get().AbsPath("/version").SetHeader("Accept", "application/json").DoRaw(ctx)
	switch {
	case err == nil:
		return Health{Reachable: true, Reason: ReasonReachable, Message: t.restConfig.Host + " answers",
			Version: parseVersion(body), RoundTrip: time.Since(start)}
	case apierrors.IsUnauthorized(err):
		return Health{Reason: ReasonUnauthorized, Message: fmt.Sprintf(
			"%s does not accept the kubeconfig's credentials (401): they are wrong or expired, put a new kubeconfig into the Secret", t.restConfig.Host)}
	default:
		return Health{Reason: ReasonUnreachable, Message: fmt.Sprintf(
			"%s does not answer (%v): check the kubeconfig's server, the network, and whether the cluster runs", t.restConfig.Host, err)}
	}
}

// setHealth stores what was seen and tells others of what changed.
func (t *Target) setHealth(ctx context.Context, next Health) {
	if ctx.Err() != nil {
		return // an interrupted probe says nothing about the target
	}
	old := t.Health()
	next.Since = old.Since
	if next.Version == "" {
		next.Version = old.Version
	}
	changed := old.Reachable != next.Reachable || old.Reason != next.Reason || old.Rights.Message() != next.Rights.Message() ||
		old.Rights.Note() != next.Rights.Note()
	if changed {
		next.Since = time.Now()
		ctrllog.FromContext(ctx).Info("health changed", "target", t.name, "reason", next.Reason, "message", next.Message)
	}
	t.health.Store(&next)
	if changed {
		t.notify(t.name)
	}
}

// announceChanges tells of the first sync and then of changes of nodes, which change the virtual node's capacity.
func (t *Target) announceChanges(ctx context.Context) {
	if !cache.WaitForCacheSync(ctx.Done(), t.watches.synced) {
		return
	}
	t.notify(t.name)
	tell := func() { t.notify(t.name) }
	for _, i := range []cache.SharedIndexInformer{t.watches.nodes, t.watches.quotas} {
		if i == nil {
			continue
		}
		_, _ = i.AddEventHandler(cache.ResourceEventHandlerFuncs{ // fails only on a stopped informer
			AddFunc: func(any) { tell() },
			UpdateFunc: func(old, obj any) {
				if RoomChanged(old, obj) {
					tell()
				}
			},
			DeleteFunc: func(any) { tell() },
		})
	}
}
