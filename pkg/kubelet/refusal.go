package kubelet

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// refusal is what a target said instead of a log or a stream, in the words of the source.
type refusal struct {
	code int
	text string
	// status is the target's own, in which the text is the message; nil when it sent a text only.
	status *metav1.Status
}

// refusalOf keeps the target's code and message, but for a 401 and a redirect, which the source's API server would take for
// its own business. The delegate's name becomes the source pod's, which is the one that the reader knows.
func refusalOf(at Location, pod string, response *http.Response) refusal {
	switch code := response.StatusCode; {
	case code == http.StatusUnauthorized:
		return refusal{code: http.StatusBadGateway, text: fmt.Sprintf(textCredentials, at.Target)}
	case code < http.StatusBadRequest:
		return refusal{code: http.StatusBadGateway, text: fmt.Sprintf(textUnexpected, at.Target, response.Status)}
	}
	body := readError(response.Body)
	said := refusal{code: response.StatusCode, text: string(body)}
	var status metav1.Status
	if err := json.Unmarshal(body, &status); err == nil && status.Kind == "Status" && status.Message != "" {
		said.status, said.text = &status, status.Message
	}
	said.text = fmt.Sprintf(textSays, strings.ReplaceAll(strings.TrimSpace(said.text), at.Pod, pod), at.Target)
	return said
}

// write answers an upgrade; kubectl reads it itself, so a Status stays one.
func (r refusal) write(to io.Writer) error {
	kind, body := "text/plain; charset=utf-8", []byte(r.text)
	if r.status != nil {
		status := *r.status
		status.Message = r.text
		if encoded, err := json.Marshal(status); err == nil {
			kind, body = "application/json", encoded
		}
	}
	answer := http.Response{
		StatusCode: r.code, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		Header:        http.Header{"Content-Type": {kind}, "X-Content-Type-Options": {"nosniff"}},
		ContentLength: int64(len(body)), Body: io.NopCloser(bytes.NewReader(body)),
	}
	return answer.Write(to)
}

// refusing lets an upgrade through and puts a refusal of it into the source's words.
type refusing struct {
	http.ResponseWriter
	at  Location
	pod string
}

var _ http.Hijacker = refusing{}

// Hijack hands over the caller's connection. What is written to it first is the target's answer.
func (w refusing) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	connection, stream, err := http.NewResponseController(w.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	return &answered{Conn: connection, by: w}, stream, nil
}

// upgradeBegins is how the answer begins that lets a stream through.
var upgradeBegins = []byte("HTTP/1.1 101 ")

// answered is a caller's connection. A refusal is held back until it is whole, which is when the connection is closed.
type answered struct {
	net.Conn
	by       refusing
	streams  bool
	withheld bytes.Buffer
}

// Write is called by one goroutine, as long as the answer is not known.
func (c *answered) Write(p []byte) (int, error) {
	if c.streams = c.streams || c.withheld.Len() == 0 && bytes.HasPrefix(p, upgradeBegins); c.streams {
		return c.Conn.Write(p)
	}
	if room := maxErrorBytes - c.withheld.Len(); room > 0 {
		c.withheld.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (c *answered) Close() error {
	defer func() { _ = c.Conn.Close() }()
	if c.streams || c.withheld.Len() == 0 {
		return nil
	}
	response, err := http.ReadResponse(bufio.NewReader(&c.withheld), nil)
	if err != nil {
		return fmt.Errorf("reading the refusal of target %s: %w", c.by.at.Target, err)
	}
	defer func() { _ = response.Body.Close() }()
	return refusalOf(c.by.at, c.by.pod, response).write(c.Conn)
}
