using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authorization;
using Microsoft.OpenApi;
using Scalar.AspNetCore;

namespace Muse.Api;

/// <summary>The OpenAPI document at <c>/openapi/v1.json</c> and its interactive page at <c>/scalar</c>.</summary>
public static class ApiDocument
{
    static readonly Dictionary<string, string> Examples = new()
    {
        ["createImage"] = """
            {"prompt":"a lighthouse at sunrise, watercolour","n":1,"size":"auto","response_format":"b64_json","seed":42,"steps":20}
            """,
        ["createGeneration"] = """
            {"prompt":"a lighthouse at sunrise, watercolour","n":2,"previews":3,"output_format":"webp","output_compression":80}
            """,
        ["predict"] = """{"prompt":"surprise me","high_quality":false}""",
    };

    /// <summary>Adds the document.</summary>
    public static IServiceCollection AddApiDocument(this IServiceCollection services) => services.AddOpenApi("v1", document =>
    {
        document.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        document.AddDocumentTransformer((openApi, _, _) =>
        {
            openApi.Info = new()
            {
                Title = "Muse",
                Version = "1",
                Description = "Generates images from text: OpenAI's images API, a jobs API with events, AUTOMATIC1111's API, and the "
                    + "routes of the original Muse.",
                License = new() { Name = "MIT License", Identifier = "MIT" },
            };
            openApi.Components ??= new();
            openApi.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>();
            openApi.Components.SecuritySchemes["key"] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.Http,
                Scheme = "bearer",
                Description = "An API key, where the server has keys on."
            };
            return Task.CompletedTask;
        });
        document.AddSchemaTransformer((schema, context, _) =>
        {
            // The generator reads ranges and patterns, but not allowed values.
            var words = context.JsonPropertyInfo?.AttributeProvider?.GetCustomAttributes(typeof(AllowedValuesAttribute), inherit: true)
                .OfType<AllowedValuesAttribute>().FirstOrDefault();
            if (words is not null)
                schema.Enum = [.. words.Values.Select(word => (JsonNode)JsonValue.Create((string)word!)), JsonNullSentinel.JsonNull];
            // A converter hides the type that it reads.
            var type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type);
            if (type == typeof(int) || type == typeof(Int128))
                (schema.Type, schema.Format) = (JsonSchemaType.Integer | JsonSchemaType.Null, type == typeof(int) ? "int32" : null);
            if (type == typeof(decimal))
                schema.Type = JsonSchemaType.Number | JsonSchemaType.Null;
            if (type == typeof(InputFile) || context.JsonTypeInfo.Type == typeof(IReadOnlyList<InputFile>))
            {
                (schema.Type, schema.Format) = (JsonSchemaType.String | JsonSchemaType.Null, "uri");
                (schema.Properties, schema.Items) = (null, null);
            }
            if (type == typeof(Int128))
                (schema.Minimum, schema.Maximum) = ("-1", ulong.MaxValue.ToString(System.Globalization.CultureInfo.InvariantCulture));
            return Task.CompletedTask;
        });
        document.AddOperationTransformer((operation, context, _) =>
        {
            // The empty alternative stands for a server with keys off.
            operation.Security = context.Description.ActionDescriptor.EndpointMetadata.OfType<IAuthorizeData>().Any()
                ? [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference("key", context.Document)] = [] },
                    new OpenApiSecurityRequirement()]
                : [];
            if (operation.OperationId is { } id && Examples.TryGetValue(id, out var example)
                && operation.RequestBody?.Content?.TryGetValue("application/json", out var body) == true)
            {
                body.Example = JsonNode.Parse(example);
            }

            if (operation.OperationId == "createImage" && operation.Responses?["200"].Content is { } answers)
            {
                answers["text/event-stream"] = new()
                {
                    Schema = new OpenApiSchema
                    {
                        Type = JsonSchemaType.String,
                        Description = "With 'stream': image_generation.partial_image and image_generation.completed events."
                    }
                };
            }

            foreach (var (status, response) in operation.Responses ?? [])
            {
                if (status.StartsWith('4') || status.StartsWith('5'))
                {
                    foreach (var (mediaType, content) in response.Content ?? new Dictionary<string, OpenApiMediaType>())
                        content.Example = ErrorExample(int.Parse(status), mediaType);
                }

                if (response is OpenApiResponse { Headers: null } concrete)
                {
                    concrete.Headers = new Dictionary<string, IOpenApiHeader>
                    {
                        ["x-request-id"] = new OpenApiHeader
                        {
                            Description = "The request's id, with its trace id in it.",
                            Schema = new OpenApiSchema { Type = JsonSchemaType.String }
                        },
                    };
                }
            }
            return Task.CompletedTask;
        });
    });

    /// <summary>Maps the document and the page.</summary>
    public static void MapApiDocument(this IEndpointRouteBuilder routes)
    {
        routes.MapOpenApi().AllowAnonymous();
        routes.MapScalarApiReference("/scalar", (scalar, context) =>
        {
            var nonce = SecurityHeadersMiddleware.AllowScalar(context);
            scalar.WithTitle("Muse: try the API").DisableDefaultFonts().DisableTelemetry().DisableAgent().DisableMcp().HideDeveloperTools()
                .HideClientButton().WithNonce(nonce);
        }).AllowAnonymous();
    }

    static JsonNode ErrorExample(int status, string mediaType)
    {
        var error = status switch
        {
            400 => ApiError.Invalid("n", "'n' must be from 1 to 10; it is 11."),
            401 => ApiError.Unauthorized,
            403 => ApiError.OperatorsOnly,
            404 => ApiError.NotFound("job"),
            409 => ApiError.Cancelled,
            413 => ApiError.TooLarge(RequestBody.MaxBytes),
            415 => new ApiError(415, "unsupported_media_type", "Send the body as 'Content-Type: application/json'.", "Content-Type"),
            422 => ApiError.KeyReused,
            429 => ApiError.QueueFull(TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(124)),
            503 => ApiError.QueueUnavailable,
            504 => new ApiError(504, "deadline_exceeded", "It was still waiting when its deadline passed."),
            _ => ApiError.Internal,
        };
        return mediaType == "application/problem+json"
            ? System.Text.Json.JsonSerializer.SerializeToNode(ProblemBody.From(error, "/v1/generations",
                "req_4bf92f3577b34da6a3ce929d0e0e4736"), ApiJson.Default.ProblemBody)!
            : System.Text.Json.JsonSerializer.SerializeToNode(OpenAIErrorBody.From(error), ApiJson.Default.OpenAIErrorBody)!;
    }
}
