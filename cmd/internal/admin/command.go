package admin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"os/user"
	"strconv"
	"sync"
	"time"
	"unicode/utf8"
)

// A Command is a request with the streams of the client, for the function that runs it. Writes
// fail once the client has gone or does not read.
type Command struct {
	Request
	Stdout, Stderr, Output *Stream // Output is the file the command writes
}

// A Stream is one of the client's streams.
type Stream struct {
	to       io.Writer
	terminal bool
	columns  int
}

// Terminal reports whether the stream is a terminal at the client.
func (s *Stream) Terminal() bool { return s.terminal }

// Columns returns how many cells wide the client's terminal is, 0 when it is none or not known.
func (s *Stream) Columns() int { return s.columns }

// Write sends to the client.
func (s *Stream) Write(p []byte) (int, error) { return s.to.Write(p) }

// command answers POST /v1/commands: it runs a command line and streams what it prints.
func (s *server) command(w http.ResponseWriter, r *http.Request) {
	release, ok := s.take(w)
	if !ok {
		return
	}
	defer release()
	request, err := readCommand(w, r)
	if err != nil {
		s.refuse(w, err)
		return
	}
	ctx, id, done := s.begin(w, r)
	defer done()
	out := &events{w: w, control: http.NewResponseController(w), stop: func() { s.cancel(id) }}
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	if out.send(event{Format: formatCommand, Command: id}) != nil {
		return
	}
	code := s.service.Run(ctx, &Command{
		Request: *request,
		Stdout:  &Stream{pieces{out, streamOut}, request.StdoutTerminal, request.Columns},
		Stderr:  &Stream{pieces{out, streamErr}, request.StderrTerminal, 0},
		Output:  &Stream{pieces{out, streamFile}, false, 0},
	})
	_ = out.send(event{Exit: &code}) // a client that went needs no code
}

// begin gives a command its id and its context, which ends with the request's or when the command is stopped.
func (s *server) begin(w http.ResponseWriter, r *http.Request) (ctx context.Context, id string, done func()) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{}) // the request is read; the connection's end is awaited from now on
	ctx, cancel := context.WithCancel(r.Context())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.made++
	id = "c-" + strconv.Itoa(s.made)
	s.running[id] = cancel
	return ctx, id, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.running, id)
		cancel()
	}
}

// cancel stops a command and reports whether it was running.
func (s *server) cancel(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	cancel, running := s.running[id]
	if running {
		cancel()
	}
	return running
}

// stopCommand answers DELETE /v1/commands/{command}: the command ends as after an interrupt.
func (s *server) stopCommand(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("command")
	if !s.cancel(id) {
		fail(w, http.StatusNotFound, fmt.Errorf("no command %q is running", id))
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

// readCommand reads the body of POST /v1/commands: a Request as JSON, or a form of several parts with a
// request and the file that the command reads.
func readCommand(w http.ResponseWriter, r *http.Request) (*Request, error) {
	request := &Request{}
	kind, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case err == nil && kind == "application/json":
		err = readJSON(http.MaxBytesReader(w, r.Body, maxRequest), request)
	case err == nil && kind == "multipart/form-data" && parameters["boundary"] != "":
		err = readForm(multipart.NewReader(http.MaxBytesReader(w, r.Body, maxRequest+maxFile), parameters["boundary"]), request)
	default:
		return nil, &requestError{http.StatusUnsupportedMediaType, errors.New("the Content-Type must be application/json, or multipart/form-data with the parts request and file")}
	}
	switch {
	case err != nil:
		return nil, err
	case len(request.Args) == 0:
		return nil, badRequest("the request has no args")
	}
	if request.User == "" {
		request.User = userOf(r)
	}
	return request, nil
}

// readForm reads the part request and then, if there is one, the part file.
func readForm(form *multipart.Reader, request *Request) error {
	part, err := form.NextPart()
	if err != nil {
		return fmt.Errorf("read the form: %w", err)
	}
	if part.FormName() != "request" {
		return badRequest("the first part of the form is %q, want request", part.FormName())
	}
	if err := readJSON(io.LimitReader(part, maxRequest), request); err != nil {
		return err
	}
	part, err = form.NextPart()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("read the form: %w", err)
	case part.FormName() != "file":
		return badRequest("the second part of the form is %q, want file", part.FormName())
	}
	if request.File, err = io.ReadAll(io.LimitReader(part, maxFile+1)); err != nil {
		return fmt.Errorf("read the file of the form: %w", err)
	}
	if len(request.File) > maxFile {
		return &requestError{http.StatusRequestEntityTooLarge, fmt.Errorf("the file is larger than %d MiB", maxFile>>20)}
	}
	if _, err := form.NextPart(); !errors.Is(err, io.EOF) {
		return badRequest("the form has more than the parts request and file")
	}
	return nil
}

// readJSON reads one JSON document with known keys only.
func readJSON(body io.Reader, document any) error {
	dec := json.NewDecoder(body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(document); err != nil {
		return fmt.Errorf("read the request: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return badRequest("read the request: there is more after its end")
	}
	return nil
}

// userOf is the name of the user of the client's process.
func userOf(r *http.Request) string {
	from, _ := r.Context().Value(callerKey{}).(caller)
	if from.name != "" {
		return from.name
	}
	id := strconv.FormatUint(uint64(from.uid), 10)
	if known, err := user.LookupId(id); err == nil {
		return known.Username
	}
	return "uid " + id
}

// events is the response to one client, one JSON document on each line.
type events struct {
	w       http.ResponseWriter
	control *http.ResponseController
	stop    func() // ends the command of a client that does not read

	mu  sync.Mutex // guards err, and one write at a time
	err error
}

func (e *events) send(what event) error {
	text, err := json.Marshal(what)
	if err != nil {
		return fmt.Errorf("encode an event: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.err != nil {
		return e.err
	}
	if e.err = e.control.SetWriteDeadline(time.Now().Add(clientTimeout)); e.err == nil {
		if _, e.err = e.w.Write(append(text, '\n')); e.err == nil {
			e.err = e.control.Flush()
		}
	}
	if e.err != nil {
		e.err = fmt.Errorf("write to the client: %w", e.err)
		e.stop()
	}
	return e.err
}

// pieces sends a stream as events.
type pieces struct {
	to     *events
	stream string
}

// Write sends pieces of a bounded size.
func (p pieces) Write(data []byte) (n int, err error) {
	for n < len(data) {
		piece := data[n:min(len(data), n+maxPiece)]
		what := event{Stream: p.stream}
		if utf8.Valid(piece) {
			what.Text = string(piece)
		} else {
			what.Bytes = piece
		}
		if err := p.to.send(what); err != nil {
			return n, err
		}
		n += len(piece)
	}
	return n, nil
}
