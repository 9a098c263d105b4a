using Microsoft.AspNetCore.Http.HttpResults;
using Muse.Queue;

namespace Muse.Api;

/// <summary>OpenAI's models API: one server serves one model.</summary>
public static class ModelsEndpoints
{
    /// <summary>Maps <c>GET /v1/models</c> and <c>GET /v1/models/{model}</c>.</summary>
    public static void MapModels(this IEndpointRouteBuilder routes)
    {
        var models = routes.MapGroup("/v1/models").WithTags("Models").RequireCaller().ProducesOpenAIErrors(401, 503);
        models.MapGet("", ListAsync).WithName("listModels").WithSummary("The served model and its capabilities");
        models.MapGet("/{model}", GetAsync).WithName("retrieveModel").WithSummary("One model by name").ProducesOpenAIErrors(404);
    }

    static async Task<Ok<ModelList>> ListAsync(ModelCardCache models, ModelNames names, CancellationToken cancellation) =>
        TypedResults.Ok(new ModelList("list", [Describe(names.Served, names.Served, await models.FindAsync(cancellation))]));

    static async Task<Results<Ok<ModelDescription>, ApiErrorResult>> GetAsync(string model, ModelCardCache models, ModelNames names,
        CancellationToken cancellation) =>
        names.Contains(model)
            ? TypedResults.Ok(Describe(model, names.Served, await models.FindAsync(cancellation)))
            : (ApiErrorResult)new ApiError(404, "model_not_found", $"There is no such model here; there is '{names.Served}'.", "model");

    static ModelDescription Describe(string name, string served, ModelCard? card) =>
        new(name, "model", 0, "muse", served, card is null ? null : new(
        card.MinSize, card.MaxSize, card.SizeMultiple, $"{card.DefaultWidth}x{card.DefaultHeight}",
        card.DefaultSteps, card.MaxSteps, card.DefaultGuidanceScale, card.Samplers, card.SafetyChecker,
        card.ImageInput, card.RequiresMask, card.DefaultStrength, card.DefaultMaskedStrength));
}

/// <summary>The models.</summary>
/// <param name="Object">Always list.</param>
/// <param name="Data">The models.</param>
public sealed record ModelList(string Object, IReadOnlyList<ModelDescription> Data);

/// <summary>A model, in OpenAI's shape with its capabilities beside it.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Object">Always model.</param>
/// <param name="Created">Not known: 0.</param>
/// <param name="OwnedBy">Always muse.</param>
/// <param name="Root">The served model, which may have been requested by another name.</param>
/// <param name="Capabilities">Its capabilities; null while no worker has announced it.</param>
public sealed record ModelDescription(string Id, string Object, long Created, string OwnedBy, string Root, ModelCapabilities? Capabilities);

/// <summary>The capabilities of a model.</summary>
/// <param name="MinSize">Smallest width and height, pixels.</param>
/// <param name="MaxSize">Largest width and height, pixels.</param>
/// <param name="SizeMultiple">Width and height are multiples of this, pixels.</param>
/// <param name="DefaultSize">The size where none is requested.</param>
/// <param name="DefaultSteps">Steps where none are requested.</param>
/// <param name="MaxSteps">Most steps.</param>
/// <param name="DefaultGuidanceScale">Guidance scale where none is requested.</param>
/// <param name="Schedulers">The samplers' names; the first is the default.</param>
/// <param name="SafetyChecker">Whether images pass a safety checker.</param>
/// <param name="ImageInput">Whether it can edit images.</param>
/// <param name="RequiresMask">Whether it only fills in the masked part of an image.</param>
/// <param name="DefaultStrength">Strength of an edit without a mask where none is requested.</param>
/// <param name="DefaultMaskedStrength">Strength of an edit with a mask where none is requested.</param>
public sealed record ModelCapabilities(int MinSize, int MaxSize, int SizeMultiple, string DefaultSize, int DefaultSteps, int MaxSteps,
    float DefaultGuidanceScale, IReadOnlyList<string> Schedulers, bool SafetyChecker, bool ImageInput, bool RequiresMask,
    double DefaultStrength, double DefaultMaskedStrength);
