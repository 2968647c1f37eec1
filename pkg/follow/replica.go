package follow

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/kubernetes"
)

// replica is what is known of one copy in a target. Follower.mu guards it.
type replica struct {
	source      *source
	users       sets.Set[types.UID]
	needing     sets.Set[types.UID] // the users for which it is not optional
	unusedSince time.Time
	shipped     string    // hash of the content that the target had
	checked     time.Time // when it had it
	uid         types.UID // of the copy; empty when not known
	failing     bool
}

func newReplica(s *source) *replica {
	return &replica{source: s, users: sets.New[types.UID](), needing: sets.New[types.UID]()}
}

func (r *replica) unused() bool { return r.users.Len() == 0 }

// release says whether pod was the last user.
func (r *replica) release(pod types.UID) bool {
	r.users.Delete(pod)
	r.needing.Delete(pod)
	r.unusedSince = time.Now()
	return r.unused()
}

func (r *replica) unknown() { r.shipped, r.uid = "", "" }

// The verbs of a step.
type verb int

const (
	doNothing verb = iota
	doShip
	doRemove
)

// step is what a copy needs next, with all that is needed to do it without a lock.
type step struct {
	verb    verb
	client  kubernetes.Interface
	content *content
	uid     types.UID
}

func (f *Follower) plan(l *lane, key replicaKey) step {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.planLocked(l, key)
}

func (f *Follower) planLocked(l *lane, key replicaKey) step {
	r, ok := l.replicas[key]
	if !ok {
		return step{}
	}
	next := step{client: l.client, content: r.source.content(), uid: r.uid}
	switch {
	case r.unused():
		if time.Since(r.unusedSince) >= f.options.Linger {
			next.verb = doRemove
		}
	case next.content == nil && r.uid != "" && r.needing.Len() == 0: // deleted, and all that use it can do without
		next.verb = doRemove
	case next.content == nil: // not there, or deleted while pods need it, whose next container must still start
	case r.shipped != next.content.hash || time.Since(r.checked) >= f.options.Recheck:
		next.verb = doShip
	}
	return next
}

// begin is plan for the flight that carries it out. What is about to be deleted counts as not shipped from now on, so that
// a pod that comes meanwhile waits, and has it shipped again.
func (f *Follower) begin(l *lane, key replicaKey) step {
	f.mu.Lock()
	defer f.mu.Unlock()
	next := f.planLocked(l, key)
	if next.verb == doRemove {
		l.replicas[key].shipped = ""
	}
	return next
}

// finish notes what a flight did, and queues the next look at the copy.
func (f *Follower) finish(l *lane, key replicaKey, did step, uid types.UID, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := l.replicas[key]
	if !ok || did.client != l.client { // the target is gone, or another one now
		return
	}
	f.logChange(l, key, r, did.verb, err)
	if err != nil {
		l.queue.AddRateLimited(key)
		return
	}
	l.queue.Forget(key)
	switch {
	case did.verb == doShip:
		r.shipped, r.checked, r.uid = did.content.hash, time.Now(), uid
	case did.verb == doRemove && r.unused():
		f.drop(l, key)
	default: // used again while it was deleted
		r.unknown()
		l.queue.Add(key)
	}
	f.schedule(l, key)
}

// drop ends all interest in a copy; f.mu is held.
func (f *Follower) drop(l *lane, key replicaKey) {
	f.unfollow(l.replicas[key].source, waker{l, key})
	delete(l.replicas, key)
}

func (f *Follower) logChange(l *lane, key replicaKey, r *replica, did verb, err error) {
	log := f.options.Logger.WithValues("target", l.name, "source", key.sourceKey.String(), "namespace", key.target)
	switch {
	case err != nil && !r.failing:
		log.Info("Failed to sync a copy, and goes on trying", "err", err.Error())
	case err == nil && r.failing:
		log.Info("Recovered the sync of a copy")
	case err == nil && did == doRemove:
		log.V(1).Info("Deleted the copy")
	case err == nil && did == doShip && r.shipped == "":
		log.V(1).Info("Shipped a copy")
	}
	r.failing = err != nil
}
