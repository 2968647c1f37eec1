package groups

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// told is what a store tells its owner.
type told struct {
	mu   sync.Mutex
	gave []types.UID
	over int
}

func (o *told) giveBack(_ *Attempt, unused []*Seat) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, seat := range unused {
		o.gave = append(o.gave, seat.Pod.UID)
	}
}

func (o *told) ended(Key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.over++
}

func begin(t *testing.T, place string, uids ...types.UID) (*Attempt, *told) {
	t.Helper()
	owner := &told{}
	var seats []*Seat
	for _, uid := range uids {
		seats = append(seats, &Seat{Pod: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "pod-" + string(uid), UID: uid}}})
	}
	return NewStore(owner.giveBack, owner.ended).Begin(Key{Namespace: "ml", Name: "train"}, place, seats, nil), owner
}

// all lets every pod of an attempt go its whole way.
func all(a *Attempt) {
	for uid := range a.seats {
		_ = a.Reserve(uid)
		a.reach(uid, ready, a.scheduled)
	}
	for uid := range a.seats {
		a.Bound(uid)
	}
}

// together runs a step for every pod side by side, and returns what each got.
func together(a *Attempt, step func(types.UID) error) map[types.UID]error {
	var mu sync.Mutex
	var wg sync.WaitGroup
	got := map[types.UID]error{}
	for uid := range a.seats {
		wg.Go(func() {
			err := step(uid)
			mu.Lock()
			defer mu.Unlock()
			got[uid] = err
		})
	}
	wg.Wait()
	return got
}

func TestNobodyPassesABarrierBeforeAllHaveCome(t *testing.T) {
	a, owner := begin(t, "spillway-heata", "a", "b", "c")
	passed := make(chan types.UID, 3)
	for uid := range a.seats {
		require.NoError(t, a.Reserve(uid))
		if uid != "c" {
			go func() {
				assert.NoError(t, a.Arrive(t.Context(), uid, time.Minute))
				passed <- uid
			}()
		}
	}
	select {
	case uid := <-passed:
		t.Fatalf("%s did not wait", uid)
	case <-time.After(50 * time.Millisecond):
	}
	require.NoError(t, a.Arrive(t.Context(), "c", time.Minute))
	<-passed
	<-passed
	for _, err := range together(a, func(uid types.UID) error { return a.Ready(t.Context(), uid) }) {
		require.NoError(t, err)
	}
	together(a, func(uid types.UID) error { a.Bound(uid); return nil })
	assert.Equal(t, 1, owner.over)
	assert.Empty(t, owner.gave)
}

func TestAnAttemptThatFails(t *testing.T) {
	tests := map[string]struct {
		fail       func(a *Attempt)
		wantReason string
		wantGiven  []types.UID
	}{
		"because the target refuses one": {
			fail: func(a *Attempt) { a.Fail("heata: pod pod-b: quota") }, wantReason: "group train is taken back: heata: pod pod-b: quota",
			wantGiven: []types.UID{"c"}},
		"because one gives up": {
			fail: func(a *Attempt) { a.Leave("b") }, wantReason: "group train is taken back: pod pod-b gave up", wantGiven: []types.UID{"c"}},
		"because one never comes": {
			fail: func(*Attempt) {}, wantReason: "group train is taken back: group train: only 2 of 3 pods came within 50ms",
			wantGiven: []types.UID{"c"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a, owner := begin(t, "spillway-heata", "a", "b", "c")
			require.NoError(t, a.Reserve("a"))
			require.NoError(t, a.Reserve("b"))
			test.fail(a)
			got := together(a, func(uid types.UID) error {
				if uid == "c" {
					return nil
				}
				return a.Arrive(t.Context(), uid, 50*time.Millisecond)
			})
			require.EqualError(t, got["a"], test.wantReason)
			require.Error(t, a.Reserve("c"), "its seat is gone")
			assert.Equal(t, test.wantGiven, owner.gave)

			assert.Same(t, a, a.store.OfPod("a"), "it is there until all have left")
			a.Leave("a")
			a.Leave("b")
			assert.Nil(t, a.store.OfPod("a"))
			assert.Equal(t, 1, owner.over, "the group is tried again once")
		})
	}
}

func TestTheSecondBarrierHasTheTargetsTimeLimit(t *testing.T) {
	a, _ := begin(t, "spillway-heata", "a", "b")
	for uid := range a.seats {
		require.NoError(t, a.Reserve(uid))
	}
	ctx, cancel := context.WithTimeoutCause(t.Context(), 10*time.Millisecond, errors.New("late"))
	defer cancel()
	require.EqualError(t, a.Ready(ctx, "a"), "group train is taken back: group train: only 1 of 2 delegates were scheduled in time")
}

func TestAfterTheSecondBarrierNobodyTakesTheOthersBack(t *testing.T) {
	a, owner := begin(t, "spillway-heata", "a", "b")
	for uid := range a.seats {
		require.NoError(t, a.Reserve(uid))
		a.reach(uid, ready, a.scheduled)
	}
	assert.False(t, a.Fail("late"))
	a.Leave("a") // its binding failed
	a.Bound("b")
	assert.Equal(t, 1, owner.over)
	assert.Equal(t, Verdict{Role: Follows, Place: "spillway-heata"}, a.verdict("a"))
}

func TestOnLocalNodesTheFirstBarrierIsTheLast(t *testing.T) {
	a, _ := begin(t, Local, "a")
	require.NoError(t, a.Reserve("a"))
	require.NoError(t, a.Arrive(t.Context(), "a", time.Second))
	assert.False(t, a.Fail("late"))
}

func TestASucceededAttemptIsKeptWhileAPodOfItLooksUnbound(t *testing.T) {
	a, _ := begin(t, "spillway-heata", "a", "b")
	all(a)
	lagging := true
	unbound := func(uid types.UID) bool { return lagging && uid == "b" }
	assert.Same(t, a, a.store.Of(a.Key, unbound))
	lagging = false
	assert.Nil(t, a.store.Of(a.Key, unbound))
	assert.Nil(t, a.store.OfPod("a"))
}

func TestASucceededAttemptIsForgottenWithTheGroupsLastPod(t *testing.T) {
	a, _ := begin(t, "spillway-heata", "a")
	a.store.Forget(a.Key)
	assert.Same(t, a, a.store.OfPod("a"), "it is under way")
	all(a)
	a.store.Forget(a.Key)
	assert.Nil(t, a.store.OfPod("a"))
}
