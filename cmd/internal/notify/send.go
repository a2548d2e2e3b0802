package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/mail"
	"net/smtp"
	"strconv"
	"strings"
	"time"
)

// A Sender delivers a message to one channel. It is safe for concurrent use.
type Sender interface {
	Send(ctx context.Context, m *Message) error
}

// sendTime is how long one attempt may take.
const sendTime = 30 * time.Second

// A Webhook posts the message as JSON with the headers of Standard Webhooks.
type Webhook struct {
	URL    func() (string, error)
	Sign   func(id string, at int64, body []byte) (string, error) // nil: not signed
	Client *http.Client
}

// Send implements [Sender].
func (w *Webhook) Send(ctx context.Context, m *Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	header := http.Header{"Webhook-Id": {m.ID}}
	if w.Sign != nil {
		now := time.Now().Unix()
		signature, err := w.Sign(m.ID, now, body)
		if err != nil {
			return err
		}
		header.Set("Webhook-Timestamp", strconv.FormatInt(now, 10))
		header.Set("Webhook-Signature", signature)
	}
	return post(ctx, w.Client, w.URL, header, body)
}

// A Slack posts the text to an incoming webhook of Slack.
type Slack struct {
	URL    func() (string, error)
	Client *http.Client
}

// Send implements [Sender].
func (s *Slack) Send(ctx context.Context, m *Message) error {
	escaped := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(m.Text())
	body, err := json.Marshal(map[string]any{"text": "*" + m.Subject() + "*\n" + escaped})
	if err != nil {
		return err
	}
	return post(ctx, s.Client, s.URL, http.Header{"Webhook-Id": {m.ID}}, body)
}

// Teams posts an adaptive card to a workflow of Microsoft Teams ("When a Teams webhook request is received").
type Teams struct {
	URL    func() (string, error)
	Client *http.Client
}

// Send implements [Sender].
func (t *Teams) Send(ctx context.Context, m *Message) error {
	block := func(text string, more map[string]any) map[string]any {
		out := map[string]any{"type": "TextBlock", "text": plainMarkdown.Replace(text), "wrap": true}
		for k, v := range more {
			out[k] = v
		}
		return out
	}
	card := []any{block(m.Subject(), map[string]any{"weight": "Bolder"})}
	for _, e := range m.Events {
		card = append(card, block(fmt.Sprintf("[%s] %s", e.Severity, e.Summary), nil))
		for _, line := range e.Detail {
			card = append(card, block("- "+line, nil))
		}
		card = append(card, block("What to do: "+e.Answer, nil))
		if e.Link != "" {
			card = append(card, block(e.Link, nil))
		}
	}
	body, err := json.Marshal(map[string]any{"type": "message", "attachments": []any{map[string]any{
		"contentType": "application/vnd.microsoft.card.adaptive",
		"content":     map[string]any{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": card},
	}}})
	if err != nil {
		return err
	}
	return post(ctx, t.Client, t.URL, http.Header{"Webhook-Id": {m.ID}}, body)
}

// plainMarkdown keeps a name in the directory, such as that of a group, from being shown as a link with a text of its own.
var plainMarkdown = strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "`", "\\`", "*", `\*`)

// post sends JSON. Errors do not hold the address: those of Slack and Teams are secrets.
func post(ctx context.Context, client *http.Client, address func() (string, error), header http.Header, body []byte) error {
	to, err := address()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSpace(to), bytes.NewReader(body))
	if err != nil {
		return errors.New("its url is no address")
	}
	request.Header = header
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "entrasync")
	response, err := client.Do(request)
	if err != nil {
		var failed interface{ Unwrap() error }
		if errors.As(err, &failed) { // a *url.Error has the address
			err = failed.Unwrap()
		}
		return fmt.Errorf("it cannot be reached: %w", err)
	}
	answer, _ := io.ReadAll(io.LimitReader(response.Body, 300))
	_ = response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("it answered %s: %s", response.Status, oneLine(string(answer)))
	}
	return nil
}

// A Mail sends the text by SMTP.
type Mail struct {
	Address  string // host:port
	Mode     string // starttls, tls or none
	From     string
	To       []string
	Username string
	Password func() (string, error)
	TLS      *tls.Config
}

// Send implements [Sender].
func (s *Mail) Send(ctx context.Context, m *Message) error {
	host, _, err := net.SplitHostPort(s.Address)
	if err != nil {
		return fmt.Errorf("its host is not host:port: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return fmt.Errorf("the mail server cannot be reached: %w", err)
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return errors.Join(err, conn.Close())
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if s.TLS != nil {
		config.RootCAs = s.TLS.RootCAs
	}
	if s.Mode == "tls" {
		conn = tls.Client(conn, config)
	}
	client, err := smtp.NewClient(conn, host)
	if err != nil {
		return errors.Join(fmt.Errorf("the mail server does not answer: %w", err), conn.Close())
	}
	defer client.Close()
	if s.Mode == "starttls" {
		if err := client.StartTLS(config); err != nil {
			return fmt.Errorf("the mail server does not encrypt (STARTTLS): %w", err)
		}
	}
	if s.Username != "" {
		password, err := s.Password()
		if err != nil {
			return err
		}
		if err := client.Auth(smtp.PlainAuth("", s.Username, password, host)); err != nil {
			return fmt.Errorf("the mail server refuses user name and password: %w", err)
		}
	}
	return s.write(client, m)
}

func (s *Mail) write(client *smtp.Client, m *Message) error {
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return fmt.Errorf("from %q is no address: %w", s.From, err)
	}
	if err := client.Mail(from.Address); err != nil {
		return fmt.Errorf("the mail server refuses the sender: %w", err)
	}
	for _, to := range s.To {
		parsed, err := mail.ParseAddress(to)
		if err == nil {
			err = client.Rcpt(parsed.Address)
		}
		if err != nil {
			return fmt.Errorf("the mail server refuses %s: %w", to, err)
		}
	}
	body, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := body.Write(s.letter(m, from)); err != nil {
		return err
	}
	if err := body.Close(); err != nil {
		return fmt.Errorf("the mail server refuses the message: %w", err)
	}
	_ = client.Quit() // it has the message
	return nil
}

// letter is the message in the form of RFC 5322. Its id is that of the message, so that a second delivery is recognised.
func (s *Mail) letter(m *Message, from *mail.Address) []byte {
	domain := from.Address[strings.LastIndexByte(from.Address, '@')+1:]
	var text bytes.Buffer
	for _, line := range [][2]string{
		{"From", from.String()}, {"To", strings.Join(s.To, ", ")}, {"Subject", mime.QEncoding.Encode("utf-8", oneLine(m.Subject()))},
		{"Date", m.At.Format(time.RFC1123Z)}, {"Message-ID", "<" + m.ID + "@" + domain + ">"}, {"Auto-Submitted", "auto-generated"},
		{"MIME-Version", "1.0"}, {"Content-Type", "text/plain; charset=utf-8"}, {"Content-Transfer-Encoding", "8bit"},
	} {
		fmt.Fprintf(&text, "%s: %s\r\n", line[0], line[1])
	}
	text.WriteString("\r\n")
	text.WriteString(strings.ReplaceAll(m.Text(), "\n", "\r\n"))
	return text.Bytes()
}
