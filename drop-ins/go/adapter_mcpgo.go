package feedback

import (
	"context"
	"maps"
	"slices"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// RegisterMCPGo adds the feedback tool to a server of github.com/mark3labs/mcp-go 1.x, and its text
// to the server's instructions.
//
// A tool named "feedback" that the server has already is kept, and nothing is added.
func RegisterMCPGo(s *server.MCPServer, serverName string, options ...Option) {
	reporter := reporterFor(serverName, sdkVersion("github.com/mark3labs/mcp-go"), options)
	if s.GetTool(Tool.Name) != nil {
		reporter.log("patchworkmcp: this server has a tool named \"" + Tool.Name + "\" already: it is kept, no feedback tool is added")
		return
	}
	addInstructions(s)
	hints := Tool.Annotations
	s.AddTool(mcp.Tool{
		Name:           Tool.Name,
		Title:          Tool.Title,
		Description:    Tool.Description,
		RawInputSchema: Tool.InputSchema,
		Annotations: mcp.ToolAnnotation{
			ReadOnlyHint:    &hints.ReadOnlyHint,
			DestructiveHint: &hints.DestructiveHint,
			IdempotentHint:  &hints.IdempotentHint,
			OpenWorldHint:   &hints.OpenWorldHint,
		},
	}, func(ctx context.Context, request mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		var arguments any = request.Params.Arguments
		if len(request.Params.RawArguments) > 0 {
			arguments = request.Params.RawArguments
		}
		return mcp.NewToolResultText(reporter.report(arguments, mcpGoFacts(ctx, s, request))), nil
	})
	reporter.heartbeatLater(func() []string { return mcpGoNames(s) })
}

// addInstructions changes the greeting on its way out: the SDK can replace a server's instructions, not read them.
func addInstructions(s *server.MCPServer) {
	hooks := s.GetHooks()
	if hooks == nil {
		hooks = &server.Hooks{}
		server.WithHooks(hooks)(s)
	}
	hooks.AddAfterInitialize(func(_ context.Context, _ any, _ *mcp.InitializeRequest, result *mcp.InitializeResult) {
		result.Instructions = withInstructions(result.Instructions)
	})
	hooks.AddAfterDiscover(func(_ context.Context, _ any, _ *mcp.DiscoverRequest, result *mcp.DiscoverResult) {
		result.Instructions = withInstructions(result.Instructions)
	})
}

func mcpGoNames(s *server.MCPServer) []string {
	return slices.Sorted(maps.Keys(s.ListTools()))
}

// mcpGoFacts reads what the SDK knows. A report without facts is better than none.
func mcpGoFacts(ctx context.Context, s *server.MCPServer, request mcp.CallToolRequest) (facts Facts) {
	defer func() {
		if recover() != nil {
			facts = Facts{}
		}
	}()
	facts.ToolsAvailable = mcpGoNames(s)
	session := server.ClientSessionFromContext(ctx)
	if info := server.RequestProtocolInfoFromContext(ctx); info != nil && info.ClientInfo != nil {
		facts.ClientType, facts.ClientVersion = info.ClientInfo.Name, info.ClientInfo.Version
	} else if known, ok := session.(server.SessionWithClientInfo); ok {
		facts.ClientType, facts.ClientVersion = known.GetClientInfo().Name, known.GetClientInfo().Version
	}
	switch {
	case len(request.Header) > 0: // over HTTP
		facts.SessionID = request.Header.Get("Mcp-Session-Id")
	case session == nil || session.SessionID() == "stdio": // every stdio session is called that
		facts.FallbackSession = ProcessSession
	default:
		facts.SessionID = session.SessionID()
	}
	return facts
}
