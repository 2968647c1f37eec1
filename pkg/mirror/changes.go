package mirror

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spillway-dev/spillway/pkg/delegate"
)

// What is changed of a delegate, by the name of the subresource; and what is never sent.
const (
	changePod       = ""
	changeResize    = "resize"
	changeEphemeral = "ephemeralcontainers"
	changeRefused   = "refused"
)

var subresources = []string{changePod, changeResize, changeEphemeral, changeRefused}

// The pause before the same change is sent again: because its echo is on the way, because the target refused it, or because
// something there undoes it. It is doubled each time.
const (
	sendPause    = 5 * time.Second
	sendPauseMax = 10 * time.Minute
)

// sending is a kind of change of one delegate, by its own UID.
type sending struct {
	delegate types.UID
	what     string
}

// attempt is a change that was sent.
type attempt struct {
	body  string
	at    time.Time
	pause time.Duration
}

// sendChanges brings a delegate up to what its source has become. It returns when to look again.
func (m *Mirror) sendChanges(ctx context.Context, p pair) (time.Duration, error) {
	o := delegate.Options{SourceCluster: p.target.SourceCluster(), TargetName: p.target.Name(), Target: p.target.Spec()}
	changes, err := delegate.ChangesOf(p.source, p.delegate, o)
	if err != nil {
		return 0, err
	}
	m.tellUnsent(p, strings.Join(changes.Refused, "; "))
	var again time.Duration
	for _, c := range []struct {
		what string
		body []byte
	}{{changePod, changes.Pod}, {changeResize, changes.Resize}, {changeEphemeral, changes.Ephemeral}} {
		if c.body == nil {
			continue
		}
		wait, err := m.send(ctx, p, c.what, c.body)
		if err != nil {
			return 0, err
		}
		if again == 0 || wait < again {
			again = wait
		}
	}
	return again, nil
}

// send patches a delegate, unless the same was sent a short while ago. What the target refuses is told on the source pod and
// tried again later: rights and policies may change there, and no watch tells of it.
func (m *Mirror) send(ctx context.Context, p pair, what string, body []byte) (time.Duration, error) {
	key := sending{p.delegate.UID, what}
	if wait := m.attempt(key, string(body)); wait > 0 {
		return wait, nil
	}
	if what == changeEphemeral && len(delegate.References(p.source)) > 0 {
		if err := m.Follow.Ensure(ctx, p.target, p.delegate.Namespace, p.source); err != nil {
			m.tell(p, what, err)
			return m.pause(key), nil
		}
	}
	request := p.target.Client().CoreV1().RESTClient().Patch(types.StrategicMergePatchType).Namespace(p.delegate.Namespace).
		Resource("pods").Name(p.delegate.Name).Body(body)
	if what != changePod {
		request = request.SubResource(what)
	}
	err := request.Do(ctx).Error()
	switch {
	case err == nil:
		ctrllog.FromContext(ctx).V(1).Info("changed delegate", "target", p.target.Name(),
			"delegate", p.delegate.Namespace+"/"+p.delegate.Name, "subresource", what)
	case refused(err):
		m.tell(p, what, err)
	case !goneOrReplaced(err):
		m.mu.Lock()
		delete(m.sent, key) // it did not arrive: the queue's own pauses do
		m.mu.Unlock()
		return 0, fmt.Errorf("changing delegate %s/%s in %s: %w", p.delegate.Namespace, p.delegate.Name, p.target.Name(), err)
	}
	return m.pause(key), nil
}

// attempt notes that a change is sent now, and returns zero; or how long to wait with it.
func (m *Mirror) attempt(key sending, body string) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.Clock.Now()
	last, ok := m.sent[key]
	next := attempt{body: body, at: now, pause: sendPause}
	if ok && last.body == body {
		if wait := last.at.Add(last.pause).Sub(now); wait > 0 {
			return wait
		}
		next.pause = min(2*last.pause, sendPauseMax)
	}
	m.sent[key] = next
	return 0
}

func (m *Mirror) pause(key sending) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent[key].pause
}

// tell says a refusal once, not at every try.
func (m *Mirror) tell(p pair, what string, err error) {
	if m.pause(sending{p.delegate.UID, what}) > sendPause {
		return
	}
	message := messageChangeRefused
	if apierrors.IsForbidden(err) && strings.Contains(err.Error(), "cannot patch resource") { // not a quota, nor an admission policy
		message = messageRightMissing
	}
	m.Recorder.Eventf(p.source, nil, corev1.EventTypeWarning, reasonChangeRefused, actionMirror, message, p.target.Name(), partOf[what], err)
}

// tellUnsent says once what is not sent at all.
func (m *Mirror) tellUnsent(p pair, reasons string) {
	key := sending{p.delegate.UID, changeRefused}
	if reasons == "" || m.attempt(key, reasons) > 0 || m.pause(key) > sendPause {
		return
	}
	m.Recorder.Eventf(p.source, nil, corev1.EventTypeWarning, reasonChangeRefused, actionMirror, messageNotSent, p.target.Name(), reasons)
}

// refused tells that the target's API server has understood a change, and will not have it.
func refused(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	switch status.Status().Code {
	case http.StatusBadRequest, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType:
		return true
	}
	return false
}
