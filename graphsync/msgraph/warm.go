package msgraph

import (
	_ "github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	_ "github.com/microsoftgraph/msgraph-sdk-go-core"
	_ "github.com/microsoftgraph/msgraph-sdk-go/directoryobjects"
	_ "github.com/microsoftgraph/msgraph-sdk-go/groups"
	_ "github.com/microsoftgraph/msgraph-sdk-go/organization"
	_ "github.com/microsoftgraph/msgraph-sdk-go/serviceprincipals"
	_ "github.com/microsoftgraph/msgraph-sdk-go/users"
)
