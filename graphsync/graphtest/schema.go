package graphtest

import (
	"fmt"
	"regexp"
	"strings"
	"time"
)

// A schema is the properties of one resource type, as its page of the v1.0 reference lists
// them.
type schema struct {
	odataType  string
	collection string
	properties []property
	outside    []string // documented, but not in the store that delta reads
	relations  []string // what delta may select besides properties
	index      map[string]int
}

func (s schema) indexed() *schema {
	s.index = make(map[string]int, len(s.properties))
	for i, p := range s.properties {
		s.index[p.name] = i
	}
	return &s
}

// A property is declared by its position in a schema, which is also the order of output.
type property struct {
	name      string
	of        valueKind
	byDefault bool // returned without $select
}

type valueKind byte

const (
	text valueKind = iota
	boolean
	date
	texts // collection of strings
	complexType
	complexTypes
	number
)

// properties reads "name:kind*" words: kind b(oolean), d(ate), s(trings), o(bject), O(bjects),
// n(umber), text when left out; * marks what is returned without $select.
func properties(words string) []property {
	kinds := map[string]valueKind{"": text, "b": boolean, "d": date, "s": texts, "o": complexType, "O": complexTypes, "n": number}
	var out []property
	for word := range strings.FieldsSeq(words) {
		word, starred := strings.CutSuffix(word, "*")
		name, kind, _ := strings.Cut(word, ":")
		out = append(out, property{name, kinds[kind], starred})
	}
	return out
}

// resources/user (2026-07-03): the default set and those "returned only on $select".
var userSchema = schema{
	odataType:  "#microsoft.graph.user",
	collection: "users",
	properties: properties(`businessPhones:s* displayName* givenName* jobTitle* mail* mobilePhone* officeLocation*
		preferredLanguage* surname* userPrincipalName* accountEnabled:b ageGroup assignedLicenses:O assignedPlans:O
		authorizationInfo:o city companyName consentProvidedForMinor country createdDateTime:d creationType
		deletedDateTime:d department employeeHireDate:d employeeId employeeLeaveDateTime:d employeeOrgData:o employeeType
		externalUserState externalUserStateChangeDateTime:d faxNumber identities:O imAddresses:s isManagementRestricted:b
		isResourceAccount:b lastPasswordChangeDateTime:d legalAgeGroupClassification licenseAssignmentStates:O mailNickname
		onPremisesDistinguishedName onPremisesDomainName onPremisesExtensionAttributes:o onPremisesImmutableId
		onPremisesLastSyncDateTime:d onPremisesProvisioningErrors:O onPremisesSamAccountName onPremisesSecurityIdentifier
		onPremisesSyncEnabled:b onPremisesUserPrincipalName otherMails:s passwordPolicies passwordProfile:o postalCode
		preferredDataLocation provisionedPlans:O proxyAddresses:s securityIdentifier serviceProvisioningErrors:O
		showInAddressList:b signInSessionsValidFromDateTime:d state streetAddress usageLocation userType`),
	outside: strings.Fields(`signInActivity mailboxSettings cloudLicensing deviceEnrollmentLimit print aboutMe birthday
		hireDate interests mySite pastProjects preferredName responsibilities schools skills customSecurityAttributes`),
	relations: []string{"manager"},
}.indexed()

// resources/group (2026-06-26).
var groupSchema = schema{
	odataType:  "#microsoft.graph.group",
	collection: "groups",
	properties: properties(`deletedDateTime:d* classification* createdDateTime:d* creationOptions:s* description* displayName*
		expirationDateTime:d* groupTypes:s* isAssignableToRole:b* mail* mailEnabled:b* mailNickname* membershipRule*
		membershipRuleProcessingState* onPremisesDomainName* onPremisesLastSyncDateTime:d* onPremisesNetBiosName*
		onPremisesProvisioningErrors:O* onPremisesSamAccountName* onPremisesSecurityIdentifier* onPremisesSyncEnabled:b*
		preferredDataLocation* preferredLanguage* proxyAddresses:s* renewedDateTime:d* securityEnabled:b* securityIdentifier*
		serviceProvisioningErrors:O* theme* uniqueName* visibility* assignedLabels:O assignedLicenses:O
		hasMembersWithLicenseErrors:b isManagementRestricted:b licenseProcessingState:o`),
	outside: strings.Fields(`allowExternalSenders autoSubscribeNewMembers hideFromAddressLists hideFromOutlookClients
		isSubscribedByMail unseenCount isArchived`),
	relations: []string{"members", "owners"},
}.indexed()

// resources/servicePrincipal.
var servicePrincipalSchema = schema{
	odataType:  "#microsoft.graph.servicePrincipal",
	collection: "servicePrincipals",
	properties: properties(`deletedDateTime:d* accountEnabled:b* alternativeNames:s* appDescription* appDisplayName* appId*
		appOwnerOrganizationId* appRoleAssignmentRequired:b* createdDateTime:d* description* disabledByMicrosoftStatus*
		displayName* homepage* loginUrl* logoutUrl* notes* notificationEmailAddresses:s* preferredSingleSignOnMode*
		replyUrls:s* servicePrincipalNames:s* servicePrincipalType* signInAudience* tags:s* tokenEncryptionKeyId*
		appRoles:O* oauth2PermissionScopes:O* keyCredentials:O* passwordCredentials:O* info:o* samlSingleSignOnSettings:o*
		addIns:O* resourceSpecificApplicationPermissions:O* verifiedPublisher:o* applicationTemplateId*`),
}.indexed()

// resources/application, without logo, which is a stream, and requiredResourceAccess, because
// the emulator knows permissions by name and Graph shows ids.
var applicationSchema = schema{
	odataType:  "#microsoft.graph.application",
	collection: "applications",
	properties: properties(`deletedDateTime:d* addIns:O* api:o* appId* applicationTemplateId* appRoles:O*
		authenticationBehaviors:o certification:o* createdByAppId* createdDateTime:d* description* disabledByMicrosoftStatus*
		displayName* groupMembershipClaims* identifierUris:s* info:o* isDeviceOnlyAuthSupported:b* isFallbackPublicClient:b*
		keyCredentials:O* nativeAuthenticationApisEnabled* notes* optionalClaims:o* parentalControlSettings:o*
		passwordCredentials:O* publicClient:o* publisherDomain* requestSignatureVerification:o* samlMetadataUrl*
		serviceManagementReference* servicePrincipalLockConfiguration:o* signInAudience* spa:o* tags:s* tokenEncryptionKeyId*
		uniqueName* verifiedPublisher:o* web:o*`),
}.indexed()

// resources/organization; only what describes the tenant itself.
var organizationSchema = schema{
	odataType:  "#microsoft.graph.organization",
	collection: "organization",
	properties: properties(`deletedDateTime:d* businessPhones:s* city* country* countryLetterCode* createdDateTime:d*
		defaultUsageLocation* displayName* marketingNotificationEmails:s* onPremisesLastSyncDateTime:d* onPremisesSyncEnabled:b*
		postalCode* preferredLanguage* securityComplianceNotificationMails:s* securityComplianceNotificationPhones:s* state*
		street* technicalNotificationMails:s* tenantType* assignedPlans:O* privacyProfile:o* provisionedPlans:O* verifiedDomains:O*
		directorySizeQuota:o onPremisesSyncStatus:O partnerTenantType`),
}.indexed()

// resources/appRoleAssignment.
var assignmentSchema = schema{
	odataType:  "#microsoft.graph.appRoleAssignment",
	collection: "appRoleAssignments",
	properties: properties(`deletedDateTime:d* appRoleId* createdDateTime:d* principalDisplayName* principalId* principalType*
		resourceDisplayName* resourceId*`),
}.indexed()

// find returns a property's position, or -1.
func (s *schema) find(name string) int {
	if i, ok := s.index[name]; ok {
		return i
	}
	return -1
}

// extensionName is a directory extension: extension_, the app id without dashes, the name. Its case
// does not matter.
var extensionName = regexp.MustCompile(`(?i)^extension_[0-9a-f]{32}_[A-Za-z][A-Za-z0-9_]*$`)

// encode renders a value as the JSON text that is kept and sent; nil is null. Strings, bools,
// integers, times, string slices and (for complex types) anything marshallable will do.
func (p property) encode(value any) (string, error) {
	if value == nil {
		return "null", nil
	}
	ok := false
	switch v := value.(type) {
	case string:
		ok = p.of == text
		if p.of == date {
			_, err := time.Parse(time.RFC3339, v)
			ok = err == nil
		}
	case bool:
		ok = p.of == boolean
	case int, int64, float64:
		ok = p.of == number
	case time.Time:
		ok = p.of == date
		value = v.UTC().Format(time.RFC3339)
	case []string:
		ok = p.of == texts
		if v == nil {
			return "[]", nil
		}
	case []any:
		ok = p.of == texts || p.of == complexTypes
	default:
		ok = p.of == complexType || p.of == complexTypes
	}
	if !ok {
		return "", fmt.Errorf("%T %v is no value of property %s", value, value, p.name)
	}
	if s, ok := value.(string); ok && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '"' || r == '\\' || r > '~' }) {
		return `"` + s + `"`, nil
	}
	return string(encodeJSON(value)), nil
}

// extension returns the property of a directory extension whose first value is given.
func extension(name string, value any) property {
	p := property{name: name}
	switch value.(type) {
	case bool:
		p.of = boolean
	case int, int64, float64:
		p.of = number
	case time.Time:
		p.of = date
	case []string:
		p.of = texts
	}
	return p
}
