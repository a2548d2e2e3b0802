// Command people is a target for entrasync (type exec) in Go: accounts and groups in memory, and each change in a
// journal, which config names as file, that is read when it starts.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

type params struct {
	Config                            map[string]string
	Kind, ID, Attribute, Value, Group string
	Cursor                            string
	Limit                             int
	Add, Remove                       []string
	Attributes                        map[string]any
}

type resource struct {
	ID         string         `json:"id"`
	Attributes map[string]any `json:"attributes"`
	members    map[string]bool
}

type refused struct {
	Code    int               `json:"code"`
	Message string            `json:"message"`
	Data    map[string]string `json:"data"`
}

func refuse(code, message string) *refused {
	return &refused{1, message, map[string]string{"code": code}}
}

// A store is what the journal says.
type store struct {
	journal *os.File
	last    int
	all     map[string]map[string]*resource // by kind and id
	names   map[string]string               // kind and name → id
}

func name(kind string, attributes map[string]any) string {
	key := map[string]string{"user": "userName", "group": "displayName"}[kind]
	return kind + " " + strings.ToLower(fmt.Sprint(attributes[key]))
}

func (s *store) open(file string) error {
	s.all, s.names = map[string]map[string]*resource{"user": {}, "group": {}}, map[string]string{}
	var err error
	if s.journal, err = os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return err
	}
	for lines := bufio.NewReader(s.journal); ; {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil // a line without an end was never answered
		}
		var change struct {
			Method string
			Params params
		}
		if err := json.Unmarshal(line, &change); err != nil {
			continue // its end came with the line after it
		}
		s.change(change.Method, &change.Params)
	}
}

// change carries out one change in memory. The second result is nil when it was.
func (s *store) change(method string, p *params) (any, *refused) {
	r := s.all[p.Kind][p.ID]
	if p.Group != "" {
		r = s.all["group"][p.Group]
	}
	taken := s.names[name(p.Kind, p.Attributes)]
	switch {
	case method == "update" && r == nil:
		return nil, refuse("target_missing", "there is no "+p.Kind+" "+p.ID)
	case method == "create" && taken != "", method == "update" && taken != "" && taken != p.ID:
		return nil, refuse("duplicate_target", "the name is taken")
	case method == "create":
		s.last++
		r = &resource{strconv.Itoa(s.last), p.Attributes, map[string]bool{}}
		s.all[p.Kind][r.ID], s.names[name(p.Kind, r.Attributes)] = r, r.ID
	case method == "delete" && r == nil:
		return struct{}{}, nil
	case r == nil:
		return nil, refuse("target_missing", "there is no "+p.Kind+" "+p.ID+p.Group)
	case method == "delete":
		delete(s.names, name(p.Kind, r.Attributes))
		delete(s.all[p.Kind], p.ID)
		for _, group := range s.all["group"] {
			delete(group.members, p.ID)
		}
	case method == "update":
		delete(s.names, name(p.Kind, r.Attributes))
		r.Attributes = maps.Clone(r.Attributes)
		maps.Copy(r.Attributes, p.Attributes)
		maps.DeleteFunc(r.Attributes, func(_ string, value any) bool { return value == nil })
		s.names[name(p.Kind, r.Attributes)] = p.ID
	case method == "changeMembers":
		unknown := []map[string]string{}
		for _, id := range p.Add {
			if s.all["user"][id] == nil {
				unknown = append(unknown, map[string]string{"id": id, "message": "there is no such user"})
				continue
			}
			r.members[id] = true
		}
		for _, id := range p.Remove {
			delete(r.members, id)
		}
		return map[string]any{"refused": unknown}, nil
	}
	return map[string]any{"resource": r}, nil
}

// page returns those of the ids, in order, that come after the cursor.
func page(ids []string, p *params) (part []string, next string) {
	order := func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	}
	slices.SortFunc(ids, order)
	from, met := slices.BinarySearchFunc(ids, p.Cursor, order)
	if met {
		from++
	}
	if part = ids[from:]; len(part) > p.Limit {
		part = part[:p.Limit]
		next = part[p.Limit-1]
	}
	return part, next
}

func (s *store) find(p *params) any {
	found := []*resource{}
	if id := s.names[name(p.Kind, map[string]any{"userName": p.Value, "displayName": p.Value})]; id != "" && (p.Attribute == "userName" || p.Kind == "group") {
		return map[string]any{"resources": append(found, s.all[p.Kind][id])}
	}
	for _, r := range s.all[p.Kind] {
		if value, ok := r.Attributes[p.Attribute]; ok && strings.EqualFold(fmt.Sprint(value), p.Value) {
			found = append(found, r)
		}
	}
	return map[string]any{"resources": found}
}

func (s *store) answer(method string, raw json.RawMessage, p *params) (any, *refused) {
	switch method {
	case "hello":
		if err := s.open(p.Config["file"]); err != nil {
			return nil, refuse("target_unavailable", err.Error())
		}
		return map[string]any{"protocol": 1, "name": "people", "kinds": []string{"user", "group"}, "abilities": []string{"members", "changeMembers"}}, nil
	case "find":
		return s.find(p), nil
	case "get":
		if r := s.all[p.Kind][p.ID]; r != nil {
			return map[string]any{"resource": r}, nil
		}
		return nil, refuse("target_missing", "there is no "+p.Kind+" "+p.ID)
	case "list":
		ids, next := page(slices.Collect(maps.Keys(s.all[p.Kind])), p)
		resources := []*resource{}
		for _, id := range ids {
			resources = append(resources, s.all[p.Kind][id])
		}
		return map[string]any{"resources": resources, "next": next}, nil
	case "members":
		group := s.all["group"][p.Group]
		if group == nil {
			return nil, refuse("target_missing", "there is no group "+p.Group)
		}
		ids, next := page(slices.Collect(maps.Keys(group.members)), p)
		return map[string]any{"members": append([]string{}, ids...), "next": next}, nil
	case "create", "update", "delete", "changeMembers":
		result, no := s.change(method, p)
		if no == nil { // kept before it is answered
			if _, err := fmt.Fprintf(s.journal, "{\"method\":%q,\"params\":%s}\n", method, raw); err != nil {
				return nil, refuse("target_unavailable", err.Error())
			}
		}
		return result, no
	}
	return struct{}{}, nil // probe and close
}

func main() {
	var s store
	answers := json.NewEncoder(os.Stdout)
	for questions := bufio.NewReader(os.Stdin); ; {
		line, err := questions.ReadBytes('\n')
		if err != nil {
			return // the end of the input is the end of the program
		}
		var question struct {
			ID     json.RawMessage
			Method string
			Params json.RawMessage
		}
		var p params
		if json.Unmarshal(line, &question) != nil || json.Unmarshal(question.Params, &p) != nil {
			return
		}
		result, no := s.answer(question.Method, question.Params, &p)
		answer := map[string]any{"jsonrpc": "2.0", "id": question.ID}
		if answer["result"] = result; no != nil {
			answer["error"] = no
			delete(answer, "result")
		}
		if answers.Encode(answer) != nil {
			return
		}
	}
}
