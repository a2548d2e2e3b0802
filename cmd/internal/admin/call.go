package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/textproto"
	"net/url"
	"time"
)

// Streams are where a command's output goes. Output collects the file that the command writes.
type Streams struct{ Stdout, Stderr, Output io.Writer }

const (
	// stopTime is how long an interrupted command may take to end.
	stopTime = 30 * time.Second
	// beginTime is how long an interrupt waits for the command to begin.
	beginTime = 5 * time.Second
	// base is the address that requests name. The host is of no meaning on a unix socket.
	base = "http://entrasync"
)

// errOtherProtocol means that the service is older than this API.
var errOtherProtocol = errors.New("the service is of an older version, which speaks otherwise than the command; restart the service, or use its version of entrasync")

// Call has the service of a state directory run a command and returns its exit code. The end of
// ctx asks the command to stop, and its last words are still waited for. The error is, or wraps,
// [ErrUnreachable] when no service answers, and a *[RefusedError] when the service will not.
func Call(ctx context.Context, dir string, request Request, to Streams) (code int, err error) {
	if len(request.File) > maxFile {
		return 0, fmt.Errorf("hand the command to the service: its file is larger than %d MiB; stop the service and run it again", maxFile>>20)
	}
	body, contentType, err := encode(request)
	if err != nil {
		return 0, err
	}
	calling, abort := context.WithCancel(context.WithoutCancel(ctx))
	defer abort()
	c := &call{client: clientOf(dir), began: make(chan struct{})}
	stop := context.AfterFunc(ctx, func() { c.interrupt(calling, abort) })
	defer stop()
	response, err := c.do(calling, http.MethodPost, "/v1/commands", contentType, body)
	if err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, err
	}
	defer response.Body.Close()
	code, err = c.print(response.Body, to)
	if err != nil && ctx.Err() != nil {
		return 0, ctx.Err()
	}
	return code, err
}

// encode makes the body of POST /v1/commands. The file is not copied: it can be large.
func encode(request Request) (body io.Reader, contentType string, err error) {
	text, err := json.Marshal(request)
	if err != nil {
		return nil, "", fmt.Errorf("encode request: %w", err)
	}
	if request.File == nil {
		return bytes.NewReader(text), "application/json", nil
	}
	var head, tail bytes.Buffer
	form := multipart.NewWriter(&head)
	part, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {`form-data; name="request"`}, "Content-Type": {"application/json"}})
	if err == nil {
		_, err = part.Write(text)
	}
	if err == nil {
		_, err = form.CreateFormFile("file", "file")
	}
	if err != nil {
		return nil, "", fmt.Errorf("encode request: %w", err)
	}
	fmt.Fprintf(&tail, "\r\n--%s--\r\n", form.Boundary())
	return io.MultiReader(&head, bytes.NewReader(request.File), &tail), form.FormDataContentType(), nil
}

// clientOf reaches the service of a state directory.
func clientOf(dir string) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DisableCompression: true, DialContext: func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		err = at(dir, func(address string) error {
			unix, err := (&net.Dialer{}).DialContext(ctx, "unix", address)
			if err == nil {
				conn = &greeter{UnixConn: unix.(*net.UnixConn), check: func(first byte) error {
					if first != 'H' { // HTTP/1.1
						return errOtherProtocol
					}
					return nil
				}}
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
		}
		return conn, nil
	}}}
}

// A call is one command that the service runs.
type call struct {
	client *http.Client

	began chan struct{} // closed when id is known
	id    string
}

// do sends one request. An error document of the service becomes a *[RefusedError].
func (c *call) do(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, base+path, body)
	if err != nil {
		return nil, fmt.Errorf("make the request to the service: %w", err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	response, err := c.client.Do(request)
	var wrapped *url.Error
	switch {
	case errors.Is(err, errOtherProtocol):
		return nil, &RefusedError{errOtherProtocol.Error()}
	case errors.Is(err, ErrUnreachable) && errors.As(err, &wrapped):
		return nil, wrapped.Err
	case err != nil:
		return nil, fmt.Errorf("the service went away before it ran the command: %w", err)
	case response.StatusCode < 300:
		return response, nil
	}
	defer response.Body.Close()
	var refusal errorDocument
	if err := json.NewDecoder(io.LimitReader(response.Body, maxRequest)).Decode(&refusal); err != nil || refusal.Error == "" {
		refusal.Error = "it answered " + response.Status
	}
	return nil, &RefusedError{refusal.Error}
}

// interrupt asks the service to stop the command. What cannot be stopped so is given up.
func (c *call) interrupt(ctx context.Context, abort func()) {
	select {
	case <-c.began:
	case <-time.After(beginTime):
		abort()
		return
	case <-ctx.Done():
		return
	}
	if response, err := c.do(ctx, http.MethodDelete, "/v1/commands/"+url.PathEscape(c.id), "", nil); err == nil {
		response.Body.Close()
	}
	select {
	case <-time.After(stopTime):
		abort()
	case <-ctx.Done():
	}
}

// print passes on what the command prints until its exit code comes. The service must not wait for a pager:
// what it says is taken at once and kept.
func (c *call) print(body io.Reader, to Streams) (code int, err error) {
	out, errs := newSpool(to.Stdout), newSpool(to.Stderr)
	defer errs.close()
	defer out.close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		var what event
		if err := json.Unmarshal(lines.Bytes(), &what); err != nil {
			return 0, fmt.Errorf("the service's response cannot be read: %w", err)
		}
		piece := what.Bytes
		if what.Text != "" {
			piece = []byte(what.Text)
		}
		switch {
		case what.Exit != nil:
			return *what.Exit, nil
		case what.Command != "" && c.id == "":
			c.id = what.Command
			close(c.began)
		case what.Stream == streamOut:
			out.write(piece)
		case what.Stream == streamErr:
			errs.write(piece)
		case what.Stream == streamFile:
			if _, err := to.Output.Write(piece); err != nil {
				return 0, err
			}
		}
	}
	return 0, fmt.Errorf("the service went away while it ran the command: %w", errors.Join(lines.Err(), io.ErrUnexpectedEOF))
}
