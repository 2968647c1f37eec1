package groups

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/types"
)

func TestDecide(t *testing.T) {
	key := Key{Namespace: "ml", Name: "train"}
	unbound := func(uids ...types.UID) []Member {
		var members []Member
		for _, uid := range uids {
			members = append(members, Member{UID: uid})
		}
		return members
	}
	attempt := func(do ...func(*Attempt)) *Attempt {
		a, _ := begin(t, "spillway-heata", "a", "b")
		for _, d := range do {
			d(a)
		}
		return a
	}
	reserve := func(uid types.UID) func(*Attempt) { return func(a *Attempt) { assert.NoError(t, a.Reserve(uid)) } }
	tests := map[string]struct {
		view View
		want Verdict
	}{
		"a group that lacks pods waits and says how many": {
			View{Size: 4, Self: "a", Members: unbound("a", "b", "c")}, Verdict{Reason: "group train has 3 of 4 pods"}},
		"the first pod of a complete group leads": {
			View{Size: 2, Self: "b", Members: unbound("a", "b")}, Verdict{Role: Leads, Seats: []types.UID{"a", "b"}}},
		"more pods than its size wait for the others": {
			View{Size: 2, Self: "c", Members: unbound("a", "b", "c")},
			Verdict{Reason: "group train goes first; this pod, which is more than its size, follows it"}},
		"one that is bound binds the rest, be they complete or not": {
			View{Size: 4, Self: "b", Members: []Member{{UID: "a", Place: "spillway-heata"}, {UID: "b"}}},
			Verdict{Role: Follows, Place: "spillway-heata"}},
		"a local node binds them to the local nodes": {
			View{Size: 2, Self: "b", Members: []Member{{UID: "a", Place: Local}, {UID: "b"}}}, Verdict{Role: Follows, Place: Local}},
		"a pod with a seat joins": {
			View{Size: 2, Self: "b", Members: unbound("a", "b"), Attempt: attempt(reserve("a"))}, Verdict{Role: Joins, Place: "spillway-heata"}},
		"a pod without a seat waits for the attempt": {
			View{Size: 2, Self: "c", Members: unbound("a", "b", "c"), Attempt: attempt(reserve("a"))},
			Verdict{Reason: "group train is being placed; this pod, which is more than its size, follows it"}},
		"nobody joins an attempt that failed, and nobody leads while it is being taken back": {
			View{Size: 2, Self: "b", Members: unbound("a", "b"), Attempt: attempt(reserve("a"), func(a *Attempt) { a.Fail("quota") })},
			Verdict{Reason: "group train is being taken back: quota"}},
		"what the caller's cache does not show as bound yet, it follows all the same": {
			View{Size: 2, Self: "c", Members: unbound("a", "b", "c"), Attempt: attempt(all)}, Verdict{Role: Follows, Place: "spillway-heata"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.view.Key = key
			assert.Empty(t, cmp.Diff(test.want, Decide(test.view)))
		})
	}
}
