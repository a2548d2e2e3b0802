package scim

import (
	"context"
	"net/http"
	"strings"

	"entrasync/target"
)

// byUserName is the path of userName.
var byUserName = func() target.Path {
	path, err := target.ParsePath("userName")
	if err != nil {
		panic(err) // a constant
	}
	return path
}()

// SwitchedOff implements [target.OffChecker]. Zabbix 7 shows every account as active, and leaves those
// that are off out of a search by userName. An account that is shown and that a search does
// not find is therefore off. That counts only where a search finds another account, and for names
// without characters that a filter may read in another way.
func (a *Adapter) SwitchedOff(ctx context.Context, shown *target.Resource) (bool, error) {
	return a.search.switchedOff(ctx, shown)
}

func (s *search) switchedOff(ctx context.Context, shown *target.Resource) (bool, error) {
	name, _ := shown.Value(byUserName).(string)
	if shown.Kind != target.User || !plainName(name) || s.cfg.NoFilter || s.learned.knows(noFilter, target.User, "username") {
		return false, nil
	}
	found, strangers, err := s.filter(ctx, opName("find", target.User), target.User, byUserName, name)
	if err != nil || strangers || len(found) > 0 {
		return false, judged(err)
	}
	finds, err := s.searchFinds(ctx, name)
	return finds, judged(err)
}

// judged drops what says only that a search does not work.
func judged(err error) error {
	if code := target.CodeOf(err); err != nil && (code.Stops() || code == target.Unavailable) {
		return err
	}
	return nil
}

// plainName reports whether a name consists of letters and digits of ASCII and of . _ - @ alone.
func plainName(name string) bool {
	return name != "" && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@") == ""
}

// searchFinds reports whether a search by userName finds an account other than the one of a name.
func (s *search) searchFinds(ctx context.Context, but string) (bool, error) {
	if s.learned.knows(filterFinds, target.User, "username") {
		return true, nil
	}
	const most = 5 // accounts that are tried: those that are off are not found
	c := call{op: opName("find", target.User), method: http.MethodGet, path: []string{endpoint(target.User)}, query: []string{"startIndex=1", "count=20"}}
	ans, err := s.client.send(ctx, c)
	if err != nil {
		return false, err
	}
	page, err := ans.listing(c, target.User)
	if err != nil {
		return false, err
	}
	tried := 0
	for i := range page.resources {
		name, _ := page.resources[i].Value(byUserName).(string)
		if name == but || !plainName(name) || tried == most {
			continue
		}
		tried++
		if found, _, err := s.filter(ctx, c.op, target.User, byUserName, name); err != nil || len(found) > 0 {
			return err == nil, err
		}
	}
	return false, nil
}

// markSwitchedOff shows users as inactive who were found by reading everyone, are shown as active and
// are off: an adoption of such an account has to switch it on.
func (s *search) markSwitchedOff(ctx context.Context, found []target.Resource) error {
	for i := range found {
		active, shown := member(found[i].Attributes, "active").(bool)
		if !shown || !active {
			continue
		}
		off, err := s.switchedOff(ctx, &found[i])
		if err != nil {
			return err
		}
		if off {
			found[i].Attributes["active"] = false
		}
	}
	return nil
}
