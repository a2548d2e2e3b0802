package scope

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/agnivade/levenshtein"
)

// An operator is named as Graph's filterOperators response names it, or as the portal does
// for those that response leaves out. Those on dates are this product's.
type operator string

const (
	equals              operator = "EQUALS"
	notEquals           operator = "NOT EQUALS"
	isTrue              operator = "IS TRUE"
	isFalse             operator = "IS FALSE"
	isNull              operator = "IS NULL"
	isNotNull           operator = "IS NOT NULL"
	regexMatch          operator = "REGEX MATCH"
	notRegexMatch       operator = "NOT REGEX MATCH"
	greaterThan         operator = "GREATER_THAN"
	greaterThanOrEquals operator = "GREATER_THAN_OR_EQUALS"
	includes            operator = "INCLUDES"
	endsWith            operator = "ENDS_WITH"
	before              operator = "BEFORE"
	after               operator = "AFTER"
	within              operator = "WITHIN"
)

var operators = [...]operator{
	equals, notEquals, isTrue, isFalse, isNull, isNotNull, regexMatch, notRegexMatch,
	greaterThan, greaterThanOrEquals, includes, endsWith,
	before, after, within,
}

// Operators returns the operators in the spelling that messages use.
func Operators() []string {
	names := make([]string, len(operators))
	for i, op := range operators {
		names[i] = string(op)
	}
	return names
}

// Operators that exist in Entra and are refused, with the reason.
var refused = map[string]string{
	"&":              "its documentation does not say what it compares; write REGEX MATCH with alternatives, such as one|two",
	"!&":             "its documentation does not say what it compares; write NOT REGEX MATCH with alternatives, such as one|two",
	"PRESENT":        "it is not documented; write IS NOT NULL",
	"VALIDCERTMATCH": "it is not documented",
	"ISMEMBEROF":     "Entra does not offer it in scoping filters; assign the group to the application instead",
}

// onDates reports whether the operator compares dates.
func (op operator) onDates() bool { return op == before || op == after || op == within }

func (op operator) unary() bool { return strings.HasPrefix(string(op), "IS ") }

// parseOperator accepts every documented spelling: the portal, the documentation and Graph
// disagree on case, underscores and spaces ("Greater_Than_OR_EQUALS").
func parseOperator(s string) (operator, error) {
	key := operatorKey(s)
	if key == "" {
		return "", fmt.Errorf("the operator is missing; one is EQUALS")
	}
	if reason, ok := refused[key]; ok {
		return "", fmt.Errorf("operator %q is not supported: %s", s, reason)
	}
	nearest, best := equals, -1
	for _, op := range operators {
		name := operatorKey(string(op))
		if name == key {
			return op, nil
		}
		distance := levenshtein.ComputeDistance(key, name)
		if strings.HasPrefix(name, key) {
			distance = 1 // cut short: "NOT REGEX"
		}
		if best < 0 || distance < best {
			nearest, best = op, distance
		}
	}
	return "", fmt.Errorf("%q is not an operator; the nearest is %s", shorten(s), nearest)
}

func operatorKey(s string) string {
	if len(s) > 100 { // keeps the search for the nearest cheap
		s = s[:100]
	}
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '-' || unicode.IsSpace(r) {
			return -1
		}
		return unicode.ToUpper(r)
	}, s)
}

// Graph user and group properties that a filter cannot use, by lower-case name (Graph v1.0
// reference, user and group resource types).
var (
	references = words("manager directReports members memberOf transitiveMembers transitiveMemberOf owners ownedObjects appRoleAssignments")
	lists      = words(`assignedLicenses assignedPlans assignedLabels businessPhones groupTypes identities imAddresses interests
		licenseAssignmentStates onPremisesProvisioningErrors otherMails pastProjects provisionedPlans proxyAddresses
		resourceBehaviorOptions resourceProvisioningOptions responsibilities schools serviceProvisioningErrors skills`)
	dates = words(`birthday createdDateTime deletedDateTime employeeHireDate employeeLeaveDateTime expirationDateTime hireDate
		lastPasswordChangeDateTime onPremisesLastSyncDateTime refreshTokensValidFromDateTime renewedDateTime
		signInSessionsValidFromDateTime externalUserStateChangeDateTime`)
)

func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(s) {
		set[strings.ToLower(word)] = true
	}
	return set
}

func checkAttribute(name string, op operator) error {
	key := strings.ToLower(name)
	switch {
	case name == "":
		return fmt.Errorf("the attribute is missing")
	case strings.Trim(name, "[]") != name:
		return fmt.Errorf("%q: write the attribute without brackets", shorten(name))
	case strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }):
		return fmt.Errorf("%q is not the name of an attribute", shorten(name))
	case references[key]:
		return fmt.Errorf("%s is a reference to other objects, which scoping filters cannot use", name)
	case lists[key] && op != isNull && op != isNotNull:
		return fmt.Errorf("%s has several values, which only IS NULL and IS NOT NULL can ask about", name)
	case dates[key] && op != isNull && op != isNotNull && !op.onDates():
		return fmt.Errorf("%s is a date, which only BEFORE, AFTER, WITHIN, IS NULL and IS NOT NULL can ask about", name)
	}
	return nil
}
