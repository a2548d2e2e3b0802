package main

import "slices"

// The way to an application: what is sent again, and what an answer means.
var transporting = slices.Concat(
	in("target/transport.go",
		fault{"TRA1", "a POST is sent again after a 503 that names no wait", `if !ok && answer.StatusCode == http.StatusServiceUnavailable && !repeatable(req) {`, `if false {`},
		fault{"TRA2", "a write whose answer is too large counts as not done", `Code: Rejected, Status: answer.StatusCode, Indeterminate: writes(req),`, `Code: Rejected, Status: answer.StatusCode,`},
		fault{"TRA3", "a POST is sent again after a lost connection", `!repeatable(req) && !neverSent(err)`, `false`},
		fault{"TRA4", "a POST is sent again after a 500", `answer.StatusCode != http.StatusNotImplemented && repeatable(req)`, `answer.StatusCode != http.StatusNotImplemented`},
		fault{"TRA5", "the credential is sent to another host", `case !strings.EqualFold(to.Host, from.Host):`, `case false:`},
		fault{"TRA6", "an answer that is cut off counts", `if err != nil {
		return t.lost(req, err)
	}
	if int64`, `if int64`},
		fault{"TRA7", "a secret that the application echoes is passed on", `body = redact.Bytes(body)`, `_ = redact`},
		fault{"TRA8", "a wait that was asked for holds no other request back", `t.gate.close(time.Now().Add(asked))`, `wait = asked`},
	),
	in("target/failure.go",
		fault{"STP1", "a write that another request ended has the other's refusal", `err = ended // its`, `_ = ended // its`},
	),
	in("graphsync/msgraph/retry.go",
		fault{"STP2", "a call that another one ended has the other's response", `return fmt.Errorf("stopped: %v", cause)`, `return fmt.Errorf("stopped: %w", cause)`},
	),
	in("target/retry.go",
		fault{"RTY1", "a PATCH is sent again whatever it does", `return fixed`, `return fixed || true`},
		fault{"RTY2", "a POST may be sent again", `_, fixed := req.Header["Idempotency-Key"]`, `fixed := req.Method == http.MethodPost`},
		fault{"RTY3", "a Retry-After is not read", `return time.Duration(seconds * float64(time.Second)), true`, `return 0, false`},
	),
)

// Programs and receivers of webhooks.
var messaging = slices.Concat(
	in("target/wire/calls.go",
		fault{"WIR1", "an answer about another account counts", `if got.ID == asked.ID {`, `if true {`},
		fault{"WIR2", "a look-up believes its answer", `if by.Holds(r.Attributes, value) && `, `if `},
		fault{"WIR3", "a creation that is answered with another account counts as ours", `if another(r, attributes) {`, `if false {`},
		fault{"WIR4", "a list that goes in a circle never ends", `case result.Next == cursor || len(page) == 0:`, `case false:`},
	),
	in("target/wire/child.go",
		fault{"WIR5", "a change that was under way when the program ended counts as not done", `Err: c.reason(), Indeterminate: sent && call.writes,`, `Err: c.reason(),`},
		fault{"WIR6", "a change that was not answered in time counts as not done", `Code: target.Unavailable, Indeterminate: sent && call.writes,
		Message: fmt.Sprintf("the program did not answer within`, `Code: target.Unavailable,
		Message: fmt.Sprintf("the program did not answer within`},
		fault{"WIR7", "a program gets the whole environment", `c.process.Env = []string{}`, `c.process.Env = os.Environ()`},
		fault{"WIR8", "what a program has started outlives it", `close(c.reaped)
	c.signal(syscall.SIGKILL)`, `close(c.reaped)`},
	),
	in("target/wire/exec.go",
		fault{"WIR9", "a program is started again for ever", `if p.failures <= maxRestarts {`, `if true {`},
		fault{"WI10", "a change is made again by the next program", `!e.Indeterminate && c.reason() != nil`, `c.reason() != nil`},
	),
	in("target/wire/webhook.go",
		fault{"WI11", "an answer to another message counts", `&& answered == id`, ``},
		fault{"WI12", "a creation is sent again when its answer is lost", `if c.method != "create" { // whose`, `if true { // whose`},
	),
	in("target/wire/key.go",
		fault{"WI13", "a later change has the id of an earlier one", `operation.Source, operation.After, method`, `operation.Source, method`},
	),
	in("target/wire/trusted.go",
		fault{"WI14", "a program that every user can replace is started", `if info.Mode().Perm()&0o002 != 0 {`, `if false {`},
	),
)

// Databases.
var databases = slices.Concat(
	in("target/sql/statements.go",
		fault{"SQL1", "rows of other owners are read and written", `for _, f := range t.fixed {
		column`, `for _, f := range t.fixed[:0] {
		column`},
		fault{"SQL2", "an id leads to every row that the database calls equal", `" AND ", b.d.exact(column, b.bind(id)))`, `" AND ", b.bind(id), " = ", b.bind(id))`},
		fault{"SQL3", "members are users of any owner", `.owned(users, "u.", true)
	return b.add(" AND NOT`, `
	return b.add(" AND NOT`},
	),
	in("target/sql/read.go",
		fault{"SQL4", "a list that skipped rows counts as whole", `if err == nil && counted != listed {`, `if false {`},
	),
	in("target/sql/session.go",
		fault{"SQL5", "a change whose commit was not answered counts as not done", `return true, tx.Commit()`, `return false, tx.Commit()`},
		fault{"SQL6", "an operation that a deadlock ended has failed", `if try == tries || !a.is(err, deadlock) {`, `if true {`},
	),
	in("target/sql/members.go",
		fault{"SQL7", "a member's id is what the database makes of it", `if slices.Contains(ids, row[0].String) {`, `if true {`},
	),
	in("target/sql/write.go",
		fault{"SQL8", "an account is made without the values that have no column", `return refused[0] // half`, `refused = nil // half`},
	),
	in("target/sql/sqlite.go",
		fault{"SQL9", "a mistyped path makes an empty database", `settings.Set("mode", "rw")`, `settings.Set("mode", "rwc")`},
	),
)

// Directories.
var directories = slices.Concat(
	in("target/ldap/names.go",
		fault{"LDA1", "values in filters are not escaped", `"=" + ldap.EscapeFilter(value) + ")"`, `"=" + value + ")"`},
		fault{"LDA2", "entries of other owners are read and written", `for _, f := range s.fixed {
		b.WriteString(equals`, `for _, f := range s.fixed[:0] {
		b.WriteString(equals`},
	),
	in("target/ldap/session.go",
		fault{"LDA3", "a write goes to the entry that has got the name meanwhile", `if !s.server.controls[assertion] {`, `if true {`},
		fault{"LDA4", "a change without an answer counts as not made", `s.changed = before || write`, `s.changed = before`},
		fault{"LDA5", "a request that a busy server refused has failed", `if !busy(err) || try == tries {`, `if true {`},
		fault{"LDA6", "an empty password logs in without an account", `if password == "" {`, `if false {`},
	),
	in("target/ldap/read.go",
		fault{"LDA7", "a base that is not there is an empty list", `return noBase(base)
		}
		if err != nil {
			return err
		}
		page`, `return nil
		}
		if err != nil {
			return err
		}
		page`},
		fault{"LDA8", "the first page of a list is the whole list", `if !ok || len(next.Cookie) == 0 {`, `if !ok || len(next.Cookie) >= 0 {`},
	),
	in("target/ldap/members.go",
		fault{"LDA9", "a new account is in the groups of an earlier one of its name", `for _, group := range groups {
		if err := s.editMembers(s.a.groups, group, nil, []string{name}); err != nil &&`, `for _, group := range groups[:0] {
		if err := s.editMembers(s.a.groups, group, nil, []string{name}); err != nil &&`},
		fault{"LDA10", "a renaming that is refused takes another entry out of its groups", `	if err == nil {
		return nil, nil // the renaming will say so
	}
	if !answers(err, ldap.LDAPResultNoSuchObject) {`, `	if err != nil && !answers(err, ldap.LDAPResultNoSuchObject) {`},
		fault{"LDA11", "a renamed user loses the groups", `if err := s.editMembers(s.a.groups, group, []string{to}, nil); err != nil {`, `if err := s.editMembers(s.a.groups, group, []string{to}, []string{to}); err != nil {`},
	),
	in("target/ldap/write.go",
		fault{"LDA12", "a second account is made although an entry elsewhere has the name", `id != except {`, `id != except && false {`},
		fault{"LDA13", "an account is made without the values that have no attribute", `return nil, refused[0] // half`, `refused = nil // half`},
	),
	in("target/ldap/ad.go",
		fault{"LDA14", "the other flags of an account are lost when it is switched off", `strconv.FormatInt(flags|accountDisabled, 10)`, `strconv.FormatInt(normalAccount|accountDisabled, 10)`},
	),
)

// The SCIM adapter.
var provisioning = slices.Concat(
	in("target/scim/create.go",
		fault{"CRE1", "an answer with another user's identity counts as ours", `if ans.status == http.StatusOK && anotherIdentity(r, attributes) {`, `if false {`},
		fault{"CRE2", "a deletion that failed counts as done when the account cannot be read", `missing(gone) {`, `gone != nil {`},
		fault{"CRE3", "an account without an id is the first of several", `err == nil && len(found) == 1 {`, `err == nil && len(found) > 0 {`},
		fault{"CRE4", "a deletion of an account that is gone fails", `if err == nil || missing(err) {`, `if err == nil {`},
		fault{"CRE5", "a creation whose account is not found counts as not done", `Op: op, Code: target.Unavailable, Indeterminate: true,`, `Op: op, Code: target.Unavailable,`},
		fault{"CRE6", "what was listed before a creation answers for after it", `a.indexes[kind].forget() // a later`, `_ = kind // a later`},
	),
	in("target/scim/switchedoff.go",
		fault{"SWO1", "an account that a search misses for another reason counts as off", `finds, err := s.searchFinds(ctx, name)
	return finds, judged(err)`, `return true, nil`},
		fault{"SWO2", "a name that a filter may misread is judged by a search", `|| !plainName(name) || s.cfg.NoFilter`, `|| s.cfg.NoFilter`},
		fault{"SWO3", "an account that is off is adopted as one that is on", `found[i].Attributes["active"] = false`, ``},
		fault{"SWO4", "a creation that is answered with 200 counts as active", `_, err := a.Update(ctx, r.Ref, attributes[i:i+1])`, `var err error`},
	),
	in("target/scim/members.go",
		fault{"MEM1", "a group that does not show its members is emptied", `if !shown && !gm.client.isEmpty(ctx, group) {`, `if !shown && false {`},
		fault{"MEM2", "a member that was refused counts as changed", `r.refused = append(r.refused, target.MemberError{ID: change.id, Err: err})`, `_ = change.id`},
		fault{"MEM3", "a removal that was refused counts as done", `readErr == nil && ok && !slices.Contains(ids, change.id)`, `readErr == nil && ok && (true || slices.Contains(ids, change.id))`},
		fault{"MEM4", "a member that was removed is still in a group that is written as a whole", `list = slices.DeleteFunc(list, func(m any) bool { return memberID(m) == change.id })`, ``},
		fault{"MEM5", "members that a group had are lost when it is written as a whole", `doc["members"] = append([]any{}, list...)`, `doc["members"] = append([]any{}, list[max(0, len(list)-1):]...)`},
		fault{"MEM6", "a change that was answered with success and not done is not noticed", `if a.cfg.VerifyWrites {
		return r.verify`, `if false {
		return r.verify`},
		fault{"MEM7", "a group that hides its members counts as empty", `if len(list) == 0 && (a.learned`, `if false && (a.learned`},
	),
	in("target/scim/update.go",
		fault{"UPD1", "an account that stays active counts as switched off", `if isActive(d.attribute) && d.verdict == target.Other {`, `if false {`},
		fault{"UPD2", "a refused attribute keeps an account active", `if slices.ContainsFunc(attributes, isActive) {
		return part(attributes, "active")
	}`, ``},
		fault{"UPD3", "a refused attribute counts as written", `u.refused = append(u.refused, named(err, attributes[0].Path.String()))`, `_ = err`},
		fault{"UPD4", "what an application hides is taken away by writing the whole resource", `certain && !u.a.learned.knowsAny(hidden, u.ref.Kind)`, `certain`},
	),
	in("target/scim/find.go",
		fault{"FND1", "an answer to a filter is believed whatever it holds", `case by.Holds(r.Attributes, value):`, `case true:`},
		fault{"FND2", "a filter that the application ignores means no account is there", `case err == nil: // ignored: a true match may be on any page
		s.learned.learn(noFilter, kind, key)`, `case err == nil: // ignored: a true match may be on any page
		return matches, nil`},
		fault{"FND3", "another resource than the one asked for is believed", `if !strings.EqualFold(r.ID, ref.ID) {`, `if false {`},
		fault{"FND4", "an application that compares exactly hides an account in another case", `if err != nil || !exact {`, `if true {`},
		fault{"FND5", "what was read once is believed later", `if by.Holds(r.Attributes, value) {
			found`, `if true {
			found`},
	),
	in("target/scim/paging.go",
		fault{"PGN1", "a list that is not complete counts as complete", `if !p.shrunk && (p.total <= p.entries || filter != "") {`, `if true {`},
		fault{"PGN2", "a list that runs in a circle has no end", `if err := p.loop.Page(page.came, ids, next); err != nil {`, `if err := error(nil); err != nil {`},
		fault{"PGN3", "a page past the end begins the list again", `|| !fresh && start > 1 {`, `{`},
		fault{"PGN4", "only the first page of a list is read", `start += page.came
		proven`, `return nil
		proven`},
		fault{"PGN5", "an account that is shown twice is listed twice", `if !known {
			added`, `if true {
			added`},
		fault{"PGN6", "a total that went down while it was listed is no reason to read again", `page.total < p.total && page.total != page.came`, `false`},
	),
	in("target/scim/errors.go",
		fault{"ERR1", "a 404 of a web page means that the account is gone", `case status == http.StatusNotFound && len(c.path) > 1:`, `case status == http.StatusNotFound:`},
		fault{"ERR2", "a failed write counts as not done", `e.Indeterminate = c.method != http.MethodGet
	case status < 400`, `e.Indeterminate = false
	case status < 400`},
		fault{"ERR3", "a write answered by a web page counts as not done", `e.Indeterminate = c.method != http.MethodGet && e.Code == target.NotSCIM`, `e.Indeterminate = false`},
		fault{"ERR4", "a refused creation of one that exists is no conflict", `case status == http.StatusConflict, duplicate && status >= 400:`, `case status == http.StatusConflict:`},
	),
	in("target/scim/response.go",
		fault{"ANS1", "an error with status 200 counts as success", `if hasError(object) {
		return false
	}`, ``},
		fault{"ANS2", "anything with status 200 counts as SCIM", `err != nil || !ok || !looksLikeSCIM(object) {`, `err != nil || !ok {`},
	),
)

// The pages on which a hold is answered and an organization consents.
var answering = slices.Concat(
	in("cmd/internal/web/holds.go",
		fault{"HLD1", "rejecting a hold on the page approves it", `do, word = guard.Reject, "rejected"`, `do, word = guard.Approve, "rejected"`},
		fault{"HLD2", "an answer on the page counts for what the page did not show", `moved = digests[hold] != r.PostFormValue("digest"); moved`, `moved = false && digests[hold] != ""; moved`},
	),
	in("cmd/internal/web/guard.go",
		fault{"WGD1", "a form that another site sends is taken", `err := s.cross.Check(r); err != nil || !s.forms.valid(r)`, `err := error(nil); err != nil`},
		fault{"WGD2", "a wrong password opens the page", `return ok && nameOK && passwordOK, nil`, `return ok && nameOK, nil`},
		fault{"WGD3", "a page without a credential answers through a proxy", `if strings.HasPrefix(name, "X-Forwarded") || slices.Contains(proxyHeaders, name) {`, `if false && (strings.HasPrefix(name, "") || slices.Contains(proxyHeaders, name)) {`},
		fault{"WGD4", "a page without a credential answers under any name", `if !namesThisMachine(r.Host) {`, `if false {`},
		fault{"WGD5", "an empty secret opens the page", `if err != nil || want == "" {`, `if err != nil {`},
	),
	in("cmd/internal/consentweb/proof.go",
		fault{"WCO1", "a claim joins without proof", `organization, err := c.Prove(ctx, tenant)`, `organization, err := graphsync.Organization{ID: tenant}, error(nil)`},
		fault{"WCO2", "a claim joins though the invitation was withdrawn", `_, err = c.Store.Invitations().Get(key) // it may`, `_ = key // it may`},
		fault{"WCO3", "a claim joins though the link is closed", `err == nil && !open {`, `err == nil && !open && false {`},
		fault{"WCO4", "the token of another organization proves a claim", `if err == nil && organization.ID != tenant {`, `if false {`},
	),
)
