package main

import (
	"fmt"
	"maps"
	"slices"
)

// A codeText is one code as `explain --json` prints it.
type codeText struct {
	Code string `json:"code"`
	Text string `json:"text"`
}

// printCode prints what to do about one code.
func (a *app) printCode(code, text string) error {
	if a.json {
		return a.printJSON(struct {
			Format string `json:"format"`
			codeText
		}{"entrasync/code/1", codeText{code, text}})
	}
	_, err := fmt.Fprintf(a.out, "%s: %s\n", code, text)
	return err
}

// listCodes prints every code in alphabetical order.
func (a *app) listCodes() error {
	list := make([]codeText, 0, len(codes))
	for _, code := range slices.Sorted(maps.Keys(codes)) {
		list = append(list, codeText{code, codes[code]})
	}
	if a.json {
		return a.printJSON(struct {
			Format string     `json:"format"`
			Codes  []codeText `json:"codes"`
		}{"entrasync/codes/1", list})
	}
	return a.table("code\twhat to do", func(row func(...any)) {
		for _, c := range list {
			row(c.Code, c.Text)
		}
	})
}

// codes are the stable words of reports and plans, with what to do about each.
var codes = map[string]string{
	"required_missing":       "a required attribute has no value. Fill the directory attribute it comes from, give the mapping a default, or drop required.",
	"value_not_allowed":      "a value is not among those the target takes. Correct it in the directory, or add it to allowed or aliases.",
	"expression_error":       "an expression failed on this record. Try it: entrasync eval EXPRESSION --user KEY.",
	"ambiguous_roles":        "the person has several roles where one is expected. Give the mapping a priority.",
	"several_values":         "an expression yields a list where the attribute takes one value. Use Item or Join, give priority, or set multi: true.",
	"role_missing":           "mapping roles: the source has no value. Fill it in the directory, or set no_value to skip or keep.",
	"role_unknown":           "mapping roles: no role of that name. Add it to the table, or set no_match to skip or keep.",
	"ambiguous_match":        "several accounts of the target have the matching value; none is taken. Make it unique in the target.",
	"duplicate_source":       "two objects of the directory want the same account, or one has the name that another's account still has. Make the matching value unique in the directory, or approve the hold of guard former_name.",
	"duplicate_target":       "the account that fits belongs to another user. Look at both with entrasync explain; rename or remove one.",
	"duplicate_hidden":       "the target says that such an account exists, but does not show it: deleted there before, or in another organisation. Have it restored or purged there; it is tried again a day later, and at once when the source changes.",
	"other_login":            "the address exists in the target under another login method. Remove or convert it there; it is tried again a day later, and at once when the source changes.",
	"state_damaged":          "the state file of a tenant is damaged. Stop entrasync, move the file away and start again: an initial cycle rebuilds it, and no account is touched because of it.",
	"state_unreadable":       "the state file of a tenant cannot be read. The message says why: permissions, a newer version, or another program that has it open.",
	"clock_differs":          "an account is due to be removed because of a time, but this machine's clock and Graph's differ by minutes. Set the clock (NTP); the next cycle looks again.",
	"duplicate_account":      "two accounts of the target carry the externalId of one user. Remove or merge one of them in the target.",
	"orphaned":               "a guard: an account of the target is a user's of this directory, has no link, and the user has no right to an account, as after the state was lost. Approve to remove it as on_remove says, or reject to leave it.",
	"former_name":            "a guard: a user has a name now that an account which is switched off still has in the target. Approve to give that account another one, or reject.",
	"on_remove":              "a guard: on_remove was changed, and accounts that were switched off before would be deleted by it. Approve to delete them, or reject to keep them.",
	"protected":              "the account that fits is protected by scope.protect and is never touched.",
	"group_exists":           "a group of that name exists and takeover is skip.",
	"action_not_allowed":     "the actions of the sync do not include what would be due. Add it to actions.",
	"filter_invalid":         "a scoping filter cannot judge this value, so nothing is done. Correct the value or the filter.",
	"source_incomplete":      "Graph did not tell all that is needed of this record, so nothing is done. It heals with a later read; sync --full reads everything.",
	"assignment_unconfirmed": "the assignment that would give access, or a role, was missing from Graph's last list and is kept until the next cycle has looked again, because a replica may lag behind. What the account has stays; it is given nothing more before.",
	"unknown_principal":      "an assignment of the application names a principal that the directory did not show as a user or group. It may be newer than the last read; if it stays, see what kind of object it is (Enterprise applications, Users and groups).",
	"hidden_members":         "the group's visibility is HiddenMembership, so that Graph shows its members only to apps with the application permission Member.Read.Hidden. Grant it, or use another group. Members known from before are kept.",
	"ignored":                "an expression of the mapping says to ignore this object.",
	"unknown_reference":      "a member has no account yet. It joins the group as soon as it has one.",
	"target_rejected":        "the target refused this record; its own words are in the message. The record is retried with exponential backoff, and at once when its source changes.",
	"target_unverified":      "the target accepted a value but does not show it, so that it cannot be told whether it took it. Nothing needs to be done where it is known to hide the attribute. It is reported once for each attribute.",
	"target_unavailable":     "the target did not answer or was overloaded. It is retried with exponential backoff.",
	"target_missing":         "the account is gone from the target. Its link was dropped; the next cycle looks for it or creates it again.",
	"target_unsupported":     "the target cannot do this at all.",
	"target_unauthorized":    "the target refuses the credential. Was the token regenerated? Put the new one where the configuration points.",
	"target_forbidden":       "the credential may not do this in the target: a missing scope, or a plan of the product that lacks it.",
	"target_not_scim":        "what answers at the target's URL does not speak SCIM. Check the URL.",
	"target_untrusted":       "the target's TLS certificate is not trusted. Give ca_file, or correct the certificate.",
	"consent_missing":        "the tenant's administrator has not consented, or took the consent back. Grant admin consent again.",
	"credential_invalid":     "the client secret or certificate is wrong. Make a new one in the app registration; use the secret's value, not its id.",
	"credential_expired":     "the client secret or certificate has expired. Make a new one in the app registration.",
	"permission_missing":     "an application permission of Microsoft Graph is missing. Add it and grant admin consent; entrasync check names it.",
	"app_disabled":           "the application is disabled in the tenant. An administrator can enable it under Enterprise applications, Properties.",
	"tenant_unknown":         "there is no such tenant in this cloud. Check the tenant id and cloud.",
	"policy":                 "a policy of the tenant refused the sign-in, such as Conditional Access for workload identities. The message quotes Microsoft; the tenant's administrator can exclude the app or allow this machine.",
	"configuration":          "Graph or the token endpoint refused the request as it is configured. The message quotes it; entrasync check tests each part.",
	"unreachable":            "Graph or the token endpoint cannot be reached: name, connection or TLS. Look at the network, the proxy and cloud; the next cycle tries again.",
	"transient":              "Graph failed and said that it may pass. The next cycle resumes where this one stopped.",
	"bad_response":           "the response is not what Graph documents. Look for a proxy in between; when there is none, report it with the message.",
	"interrupted":            "the cycle was stopped before its end. The next one resumes there.",
	"failed":                 "the cycle could not run on this machine, for the reason in the message.",
	"throttled":              "the service asked to wait longer than a cycle does. The next cycle resumes there.",
	"quarantine":             "the sync is paused because its target refused everything or most; the message says what. It is probed with exponential backoff; entrasync sync tries at once.",
	"mostly_skipped":         "more of the people in scope are skipped than guard.skipped lets pass. The reasons are in the message and in entrasync status; often one wrong word in the configuration. Correct it, or raise guard.skipped.",
	"retrying":               "records failed before and wait for their next attempt. entrasync status names them with the target's words.",
	"mostly_failing":         "most actions failed, so the sync is paused. Look at the errors: entrasync status.",
	"removals":               "a guard: more accounts than guard.removals lets pass would be deactivated or deleted. Look at the names; approve or reject.",
	"removals_per_day":       "a guard: over a day more accounts than guard.removals_per_day lets pass would be deactivated or deleted. Approve or reject.",
	"creations":              "a guard: more accounts than guard.creations lets pass would be created. Approve or reject.",
	"updates":                "a guard: more accounts than guard.updates lets pass would change, as after a changed mapping. Approve or reject.",
	"members_removed":        "a guard: more members of a group than guard.members_removed lets pass would leave it, or lose the account it gave them. Approve or reject.",
	"lost":                   "a guard: more accounts than guard.lost lets pass are gone from the target and would be created again, as after it was emptied or restored. See what happened there; approve to create them again, or reject.",
	"empties_group":          "a guard: a group would lose all its members. Approve or reject.",
	"first_run":              "a guard: the first synchronization removes nobody. Look at what it found before you approve.",
	"empty_read":             "a guard: the directory read empty, or nearly so. Make sure that this is meant before you approve.",
	"administrator":          "a guard: the last accounts that administer the target would be lost. Approve only when another account can.",
	"adoption":               "a guard: the account that fits was another user's, or carries the externalId of one. Approve when it is the same person.",
	"takeover":               "a guard: a group of that name exists and would be taken over. Look at who would leave it; approve, reject, or set groups.takeover, which does not count for a tenant that joined by consent.",
	"identity_mismatch":      "the account under the linked id is another one by its externalId and matching attributes: ids were given out again, or the credential is that of another organization. Nothing was written to it. The link is dropped, and the account is looked for again; look at both in the target.",
	"identity":               "a guard: more linked accounts than guard.identity lets pass are others in the target now, or an account of a user who left is known by its name only. Was a backup restored, or is the credential that of another organization? Approve to drop the links and match again, or to remove the account; with the right application back, the hold goes away.",
	"former_owner":           "a guard: the account that fits was kept by another tenant or sync, which has no use for it any more. Approve when it is the same person.",
	"foreign_domain":         "a guard: the tenant cannot prove that an account, or an address it would be given, is its own: an address is outside of its domains, or the account shows none. Any administrator can give such an address to any user: approve when you know the person. Domains are those verified in Entra, or guard.domains.",
	"plan_moved":             "source, target or mapping moved since the plan was made. Make a new plan and review it.",
}
