package safety

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"entrasync/target"
	"entrasync/target/scim"
	wiretarget "entrasync/target/wire"
)

var bridgeTo = flag.String("safety.bridge", "", "be the program of an exec target that passes everything on to this SCIM server")

// runBridge is the main function of a program that an exec target starts. It passes each message on to the SCIM server
// of the story, so that what holds for that server holds for a target of the type exec.
func runBridge(url string) int {
	transport, err := target.NewTransport(target.TransportConfig{Auth: target.Auth{Bearer: func() (string, error) { return bearerToken, nil }}})
	if err == nil {
		var a *scim.Adapter
		if a, err = scim.New(scim.Config{URL: url}, transport); err == nil {
			err = serve(a)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func serve(a *scim.Adapter) error {
	answers := json.NewEncoder(os.Stdout)
	for lines := bufio.NewReader(os.Stdin); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil // the end of the input
		}
		var q struct {
			ID     int64
			Method string
			Params json.RawMessage
		}
		if err := json.Unmarshal(line, &q); err != nil {
			return err
		}
		answer := map[string]any{"jsonrpc": "2.0", "id": q.ID}
		result, failure := pass(a, q.Method, q.Params)
		if answer["result"] = result; failure != nil {
			delete(answer, "result")
			answer["error"] = errorOf(failure)
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
}

func errorOf(err error) *wiretarget.ErrorObject {
	data := &wiretarget.ErrorData{Code: string(target.CodeOf(err))}
	var e *target.Error
	if errors.As(err, &e) {
		data.Unsure, data.RetryAfter = e.Indeterminate, e.RetryAfter.Seconds()
	}
	return &wiretarget.ErrorObject{Code: 1, Message: err.Error(), Data: data}
}

func pass(a *scim.Adapter, method string, params json.RawMessage) (any, error) {
	ctx := context.Background()
	var p struct {
		Kind                        target.Kind
		ID, Attribute, Value, Group string
		Attributes                  map[string]any
		Add, Remove                 []string
	}
	if err := json.Unmarshal(params, &p); err != nil {
		return nil, err
	}
	ref := target.Ref{Kind: p.Kind, ID: p.ID}
	group := target.Ref{Kind: target.Group, ID: p.Group}
	switch method {
	case "hello":
		if err := os.WriteFile(os.Getenv("BRIDGE_PID"), []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
			return nil, err
		}
		return wiretarget.HelloResult{Protocol: 1, Kinds: []string{"user", "group"}, Abilities: []string{"members", "changeMembers"}}, nil
	case "find":
		by, err := target.ParsePath(p.Attribute)
		if err != nil {
			return nil, err
		}
		found, err := a.Find(ctx, p.Kind, by, p.Value)
		return map[string]any{"resources": shownAll(found)}, err
	case "get":
		r, err := a.Get(ctx, ref)
		return map[string]any{"resource": shown(r)}, err
	case "list":
		all := []map[string]any{}
		err := a.List(ctx, p.Kind, func(page []target.Resource) error {
			all = append(all, shownAll(page)...)
			return nil
		})
		return map[string]any{"resources": all}, err
	case "create":
		r, err := a.Create(ctx, p.Kind, attributesOf(p.Attributes))
		return map[string]any{"resource": shown(r)}, err
	case "update":
		r, err := a.Update(ctx, ref, attributesOf(p.Attributes))
		if r == nil {
			return struct{}{}, err
		}
		return map[string]any{"resource": shown(r)}, err
	case "delete":
		return struct{}{}, a.Delete(ctx, ref)
	case "changeMembers":
		refused, err := a.ChangeMembers(ctx, group, p.Add, p.Remove)
		result := wiretarget.ChangeMembersResult{}
		for _, r := range refused {
			result.Refused = append(result.Refused, wiretarget.MemberRefusal{ID: r.ID, Message: fmt.Sprint(r.Err)})
		}
		return result, err
	case "members":
		ids, _, err := a.Members(ctx, group)
		return map[string]any{"members": append([]string{}, ids...)}, err
	case "close":
		return struct{}{}, a.Close(ctx)
	}
	return struct{}{}, nil
}

func attributesOf(values map[string]any) (all []target.Attribute) {
	for name, value := range values {
		path, err := target.ParsePath(name)
		if err != nil {
			panic(err)
		}
		all = append(all, target.Attribute{Path: path, Value: value})
	}
	return all
}

func shownAll(list []target.Resource) []map[string]any {
	all := []map[string]any{}
	for i := range list {
		all = append(all, shown(&list[i]))
	}
	return all
}

// shown is a resource without what is not one of its attributes.
func shown(r *target.Resource) map[string]any {
	if r == nil {
		return nil
	}
	attributes := map[string]any{}
	for name, value := range r.Attributes {
		if name != "schemas" && name != "meta" && name != "members" && name != "groups" && !strings.HasPrefix(name, "urn:") {
			attributes[name] = value
		}
	}
	return map[string]any{"id": r.ID, "attributes": attributes}
}
