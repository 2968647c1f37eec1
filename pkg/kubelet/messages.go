package kubelet

import (
	"errors"
	"fmt"
	"io"
	"net/http"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// What callers read. The first four are a real kubelet's words, because tools match on them.
const (
	textUnauthorized  = "Unauthorized"
	textForbidden     = "Forbidden (user=%s, verb=%s, resource=nodes, subresource(s)=%v)\n"
	textAuthorization = "Authorization error (user=%s, verb=%s, resource=nodes, subresource=%s)"
	textPodNotFound   = "pod %q does not exist"

	// textSays keeps the beginning of what a kubelet would have said.
	textSays     = "%s (target %q)"
	textReplaced = "pod %q does not exist: target %q has another pod, or none, in the place of its delegate"
	textLost     = "\n[the log breaks off here: the connection to target %[1]q was lost (%[2]v), see `kubectl describe target %[1]s`]\n"

	textUnreachable = "target %[1]q: its API server cannot be used now (%[2]v): " +
		"see `kubectl describe target %[1]s`, and try again when it is Ready"
	textCredentials = "target %[1]q: its API server refused Spillway's credentials: " +
		"renew the kubeconfig that Target %[1]s refers to"
	textUnexpected = "target %[1]q: its API server gave an unexpected answer (%[2]s): " +
		"check the server URL in the kubeconfig that Target %[1]s refers to"
)

// writeText answers with plain text and nothing after it: the source's API server quotes it to the user.
func writeText(w http.ResponseWriter, code int, format string, args ...any) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = fmt.Fprintf(w, format, args...) // the client has gone: nobody is left to be told
}

// writeTargetError gives an API error its own code; any other error means that the target cannot be used.
func writeTargetError(w http.ResponseWriter, target string, err error) {
	if code := codeOf(err); code != 0 {
		writeText(w, code, "%s", err.Error())
		return
	}
	writeText(w, http.StatusBadGateway, textUnreachable, target, err)
}

// codeOf is the HTTP code of an API error, and 0 for any other.
func codeOf(err error) int {
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Code >= http.StatusBadRequest {
		return int(status.Status().Code)
	}
	return 0
}

// maxErrorBytes of a target's error text are read: a hostile target must not fill our memory.
const maxErrorBytes = 50_000

func readError(body io.Reader) []byte {
	text, _ := io.ReadAll(io.LimitReader(body, maxErrorBytes)) // what arrived of the text is better than none
	return text
}
