package mirror

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
)

func TestDecide(t *testing.T) {
	pod := func(change ...func(*corev1.Pod)) *corev1.Pod {
		p := &corev1.Pod{Spec: corev1.PodSpec{NodeName: "spillway-cloud"}, Status: corev1.PodStatus{Phase: corev1.PodRunning}}
		for _, do := range change {
			do(p)
		}
		return p
	}
	ending := func(grace int64) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &metav1.Time{Time: time.Now()}, ptr.To(grace)
		}
	}
	unbound := func(p *corev1.Pod) { p.Spec.NodeName = "" }
	kept := func(p *corev1.Pod) { p.Finalizers = []string{"batch.kubernetes.io/job-tracking"} }
	elsewhere := func(p *corev1.Pod) { p.Spec.NodeName = "spillway-heata" }
	succeeded := func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }
	failed := func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }
	tests := map[string]struct {
		pair pair
		want action
	}{
		"nothing on either side needs nothing": {
			pair{synced: true}, nothing},
		"a delegate whose source was seen being deleted is deleted": {
			pair{departed: pod(ending(30)), delegate: pod()}, deleteDelegate},
		"a delegate whose source left the cache without being deleted is collected only after asking": {
			pair{departed: pod(), delegate: pod()}, collect},
		"a delegate whose source was never seen is collected only after asking": {
			pair{delegate: pod()}, collect},
		"a delegate without source that is ending already is left to end": {
			pair{delegate: pod(ending(30))}, nothing},
		"a delegate whose source was seen being deleted and that is ending already is left to end": {
			pair{departed: pod(ending(30)), delegate: pod(ending(30))}, nothing},

		"an unbound source is the scheduler's, with a delegate": {
			pair{source: pod(unbound), delegate: pod()}, nothing},
		"an unbound source is the scheduler's, without a delegate": {
			pair{source: pod(unbound), synced: true}, nothing},
		"an unbound source that is being deleted is the scheduler's, which takes the delegate back": {
			pair{source: pod(unbound, ending(30)), delegate: pod()}, nothing},

		"a delegate here of a source that is bound elsewhere is deleted, or it would run twice": {
			pair{source: pod(elsewhere), delegate: pod(), synced: true}, deleteDelegate},
		"a delegate here of a source that is bound elsewhere and that is ending is left to end": {
			pair{source: pod(elsewhere), delegate: pod(ending(30)), synced: true}, nothing},
		"no delegate here of a source that is bound elsewhere is as it should be": {
			pair{source: pod(elsewhere), synced: true}, nothing},

		"a missing delegate is not missed before the target's cache is filled": {
			pair{source: pod(), bound: true}, nothing},
		"a source that is being deleted does not end before the target's cache is filled": {
			pair{source: pod(ending(30)), bound: true}, nothing},
		"a source that is being deleted ends when its delegate is gone": {
			pair{source: pod(ending(30)), bound: true, synced: true}, finishSource},
		"a source that had failed and is being deleted ends too": {
			pair{source: pod(failed, ending(30)), bound: true, synced: true}, finishSource},
		"one that finalizers keep is ended first, because nothing else will tell of it": {
			pair{source: pod(kept, ending(0)), bound: true, synced: true}, endUnseen},
		"once it has ended, its deletion ends": {
			pair{source: pod(kept, failed, ending(30)), bound: true, synced: true}, finishSource},
		"a delegate that ended and went before that was mirrored is mirrored, not lost": {
			pair{source: pod(), last: pod(succeeded), bound: true, synced: true}, mirrorLast},
		"also before a source that is being deleted ends": {
			pair{source: pod(ending(30)), last: pod(failed), bound: true, synced: true}, mirrorLast},
		"once it is mirrored the source ends": {
			pair{source: pod(failed, ending(30)), last: pod(failed), bound: true, synced: true}, finishSource},
		"a source that runs without a delegate is lost": {
			pair{source: pod(), bound: true, synced: true}, loseSource},
		"a source that succeeded needs no delegate": {
			pair{source: pod(succeeded), bound: true, synced: true}, nothing},
		"a source that failed needs no delegate": {
			pair{source: pod(failed), bound: true, synced: true}, nothing},

		"the status of a running delegate is mirrored": {
			pair{source: pod(), delegate: pod(), bound: true, synced: true}, mirrorStatus},
		"the status is mirrored even before the cache is filled": {
			pair{source: pod(), delegate: pod(), bound: true}, mirrorStatus},
		"the status of a delegate that the target is ending is mirrored until it is gone": {
			pair{source: pod(), delegate: pod(ending(30)), bound: true, synced: true}, mirrorStatus},
		"the deletion of a source is passed on": {
			pair{source: pod(ending(30)), delegate: pod(), bound: true, synced: true}, deleteDelegate},
		"a deletion with a shorter grace than before is passed on again": {
			pair{source: pod(ending(5)), delegate: pod(ending(30)), bound: true, synced: true}, deleteDelegate},
		"a deletion at once, of a pod that finalizers keep, is followed in a second": {
			pair{source: pod(kept, ending(0)), delegate: pod(ending(1)), bound: true, synced: true}, mirrorStatus},
		"a deletion at once, of a pod that nothing keeps, is followed at once": {
			pair{source: pod(ending(0)), delegate: pod(ending(1)), bound: true, synced: true}, deleteDelegate},
		"a deletion that the delegate follows already is not passed on again": {
			pair{source: pod(ending(30)), delegate: pod(ending(30)), bound: true, synced: true}, mirrorStatus},
		"a delegate that ends sooner than its source asks is left alone": {
			pair{source: pod(ending(30)), delegate: pod(ending(5)), bound: true, synced: true}, mirrorStatus},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, decide(test.pair))
		})
	}
}

func TestAskRemembersWhatWasAskedFor(t *testing.T) {
	tests := map[string]struct {
		asked []*int64
		want  []bool
	}{
		"the first time is news":                              {[]*int64{ptr.To[int64](30)}, []bool{true}},
		"the same grace again is not":                         {[]*int64{ptr.To[int64](30), ptr.To[int64](30)}, []bool{true, false}},
		"a shorter grace is news, once":                       {[]*int64{ptr.To[int64](30), ptr.To[int64](0), ptr.To[int64](0)}, []bool{true, true, false}},
		"a longer grace is not: deletion only gets shorter":   {[]*int64{ptr.To[int64](5), ptr.To[int64](30)}, []bool{true, false}},
		"the pod's own grace twice is not":                    {[]*int64{nil, nil}, []bool{true, false}},
		"a grace after the pod's own is news":                 {[]*int64{nil, ptr.To[int64](30)}, []bool{true, true}},
		"the pod's own grace after one that was given is not": {[]*int64{ptr.To[int64](30), nil}, []bool{true, false}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := &Mirror{asked: map[types.UID]int64{}}
			var got []bool
			for _, grace := range test.asked {
				got = append(got, m.ask("delegate", grace))
			}
			assert.Equal(t, test.want, got)
			assert.True(t, m.ask("another", nil), "each delegate is remembered by itself")
		})
	}
}
