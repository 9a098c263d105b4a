using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Muse.Queue;

namespace Muse.Api;

/// <summary>The API of AUTOMATIC1111's web UI, as far as front ends use it.</summary>
public static class Automatic1111Endpoints
{
    /// <summary>How all its paths begin.</summary>
    public const string Prefix = "/sdapi";

    /// <summary>Maps <c>/sdapi/v1</c>.</summary>
    public static void MapAutomatic1111(this IEndpointRouteBuilder routes)
    {
        var api = routes.MapGroup($"{Prefix}/v1").WithTags("AUTOMATIC1111").RequireCaller();
        api.MapPost("/txt2img", TextToImageAsync).WithName("txt2img").RequireRateLimiting(RateLimits.OpenRequests)
            .WithSummary("Generate images from text and wait for them")
            .WithDescription("Sizes, steps and samplers that the model does not support are replaced by the nearest. 'info' names the "
                + "fields without effect. A client that disconnects cancels the job.")
            .Accepts<Automatic1111Body>("application/json").ProducesErrors(400, 401, 404, 409, 413, 415, 429, 500, 503, 504);
        api.MapPost("/img2img", ImageToImageAsync).WithName("img2img").RequireRateLimiting(RateLimits.OpenRequests)
            .AcceptsInputImages(routes.ServiceProvider).WithSummary("Generate images from an image and wait for them")
            .WithDescription("With a mask its white pixels are generated anew, or its black ones with 'inpainting_mask_invert'.")
            .Accepts<Automatic1111Body>("application/json").ProducesErrors(400, 401, 404, 409, 413, 415, 429, 500, 503, 504);
        api.MapGet("/progress", ProgressAsync).WithName("sdProgress").WithSummary("The progress of the caller's present job")
            .ProducesErrors(401, 503);
        api.MapPost("/interrupt", InterruptAsync).WithName("sdInterrupt").WithSummary("Cancel the caller's present job")
            .ProducesErrors(401, 503);
        api.MapPost("/skip", InterruptAsync).WithName("sdSkip").WithSummary("Cancel the caller's present job").ProducesErrors(401, 503);
        api.MapPost("/png-info", (Delegate)ReadImageAsync).WithName("sdPngInfo").AcceptsInputImages(routes.ServiceProvider)
            .WithSummary("How an image was made, as its file says it")
            .Accepts<ImageInfoBody>("application/json").ProducesErrors(400, 401, 413, 415);
        MapOptions(api);
        MapLists(api);
    }

    static void MapOptions(RouteGroupBuilder api)
    {
        api.MapGet("/options", (ModelNames models) => TypedResults.Ok(Options(models))).WithName("sdOptions")
            .WithSummary("The options").ProducesErrors(401);
        api.MapPost("/options", SetOptionsAsync).WithName("sdSetOptions").WithSummary("Accepted without effect")
            .WithDescription("A model that is not served is a 404. Other options have no effect.")
            .Accepts<Automatic1111OptionsBody>("application/json").ProducesErrors(400, 401, 404, 413, 415);
    }

    static void MapLists(RouteGroupBuilder api)
    {
        Describe("sdModels", "The served model", api.MapGet("/sd-models", (ModelNames models) =>
            TypedResults.Ok<IReadOnlyList<CheckpointItem>>([new(models.Served, models.Served, models.Served)])));
        Describe("sdSamplers", "The model's samplers", api.MapGet("/samplers",
            async (ModelCardCache models, CancellationToken cancellation) =>
                TypedResults.Ok(Automatic1111Samplers.Of(await models.FindAsync(cancellation)))));
        Describe("sdSchedulers", "The model's schedules", api.MapGet("/schedulers",
            async (ModelCardCache models, CancellationToken cancellation) =>
                TypedResults.Ok(Automatic1111Samplers.Schedules(await models.FindAsync(cancellation)))));
        Describe("sdUpscalers", "None", api.MapGet("/upscalers", () =>
            TypedResults.Ok<IReadOnlyList<UpscalerItem>>([new("None")])));
        Describe("sdEmbeddings", "None", api.MapGet("/embeddings", () =>
            TypedResults.Ok(new EmbeddingItems(new Dictionary<string, NamedItem>(), new Dictionary<string, NamedItem>()))));
        Describe("sdScripts", "None", api.MapGet("/scripts", () => TypedResults.Ok(new ScriptNames([], []))));
        Describe("sdFlags", "None", api.MapGet("/cmd-flags", () => TypedResults.Ok(new EmptyObject())));
        foreach (var (path, name) in ((string, string)[])[("/latent-upscale-modes", "sdLatentUpscaleModes"), ("/sd-vae", "sdVaes"),
            ("/loras", "sdLoras"), ("/hypernetworks", "sdHypernetworks"), ("/face-restorers", "sdFaceRestorers"),
            ("/prompt-styles", "sdPromptStyles"), ("/realesrgan-models", "sdRealesrganModels")])
        {
            Describe(name, "None", api.MapGet(path, () => TypedResults.Ok<IReadOnlyList<NamedItem>>([])));
        }
        foreach (var (path, name) in ((string, string)[])[("/refresh-checkpoints", "sdRefreshCheckpoints"),
            ("/refresh-loras", "sdRefreshLoras"), ("/refresh-vae", "sdRefreshVaes")])
        {
            api.MapPost(path, () => TypedResults.Ok(new EmptyObject())).WithName(name).WithSummary("Accepted without effect")
                .ProducesErrors(401);
        }

        static void Describe(string name, string summary, RouteHandlerBuilder list) =>
            list.WithName(name).WithSummary(summary).ProducesErrors(401, 503);
    }

    static async Task<Results<Automatic1111Response, ApiErrorResult>> TextToImageAsync(HttpContext context, JobSubmission submission,
        Automatic1111Mapping mapping, WaitingConnections connections, ModelNames models)
    {
        var (body, result) = await submission.SubmitAsync(context, ApiJson.Default.Automatic1111Body,
            (parser, fields, card, origin) => mapping.Parse(parser, fields, card, origin, null));
        return await RespondAsync(context, body!, result, connections, models);
    }

    static async Task<Results<Automatic1111Response, ApiErrorResult>> ImageToImageAsync(HttpContext context, JobSubmission submission,
        InputImageDecoder decoder, Automatic1111Mapping mapping, WaitingConnections connections, ModelNames models)
    {
        var read = await RequestBody.ReadAsync(context.Request, ApiJson.Default.Automatic1111Body,
            RequestIdentity.NeedsHash(context.Request));
        if (read.Value is not { } body)
            return (ApiErrorResult)read.Error!;
        if (body.InitImages is not [var image, ..])
            return (ApiErrorResult)ApiError.Invalid("init_images", "'init_images' is missing: it must have one image.");
        var (input, error) = await decoder.DecodeAsync(("init_images", image), body.Mask,
            body.InpaintingMaskInvert is null or 0 ? MaskMode.WhiteIsEdit : MaskMode.BlackIsEdit, context.RequestAborted, scaleMask: true);
        if (error is not null)
            return (ApiErrorResult)error;
        if (body.InitImages.Count > 1)
            input = input! with { Warnings = [.. input!.Warnings, "'init_images' has several images; the first was used."] };
        var result = await submission.SubmitAsync(context, body, read.Hash,
            (parser, fields, card, origin) => mapping.Parse(parser, fields, card, origin, input));
        return await RespondAsync(context, body, result, connections, models);
    }

    static async Task<Results<Automatic1111Response, ApiErrorResult>> RespondAsync(HttpContext context, Automatic1111Body body,
        SubmissionResult result, WaitingConnections connections, ModelNames models)
    {
        if (result is not SubmissionResult.Accepted accepted)
            return (ApiErrorResult)((SubmissionResult.Rejected)result).Error;
        if (await connections.WaitAsync(accepted, context) is not { } finished)
            return (ApiErrorResult)ApiError.NotFound("job");
        // An interrupted job has the images that were completed before.
        return finished.Job.State == JobState.Failed || finished.Images.All(image => image is null)
            ? (ApiErrorResult)ApiError.From(finished.Job)
            : new Automatic1111Response(body, accepted.Warnings, finished, models.Served);
    }

    static async Task<Ok<Automatic1111Progress>> ProgressAsync(HttpContext context, Automatic1111Jobs jobs,
        [FromQuery(Name = "skip_current_image")] string? skipCurrentImage = null)
    {
        var withImage = skipCurrentImage is null or "" or "0" || skipCurrentImage.Equals("false", StringComparison.OrdinalIgnoreCase);
        return TypedResults.Ok(await jobs.ProgressAsync(Caller.Of(context).Owner, withImage, context.RequestAborted));
    }

    static async Task<Ok<EmptyObject>> InterruptAsync(HttpContext context, Automatic1111Jobs jobs)
    {
        await jobs.InterruptAsync(Caller.Of(context).Owner, context.RequestAborted);
        return TypedResults.Ok(new EmptyObject());
    }

    static async Task<Results<Ok<Automatic1111Options>, ApiErrorResult>> SetOptionsAsync(HttpContext context, ModelNames models)
    {
        var body = await RequestBody.ReadAsync(context.Request, ApiJson.Default.Automatic1111OptionsBody, withHash: false);
        if (body.Value is not { } options)
            return (ApiErrorResult)body.Error!;
        return Automatic1111Mapping.CheckpointName(options.SdModelCheckpoint) is { Length: > 0 } name && !models.Contains(name)
            ? (ApiErrorResult)new ApiError(404, "model_not_found", $"There is no such model here; there is '{models.Served}'.",
                "sd_model_checkpoint")
            : TypedResults.Ok(Options(models));
    }

    static async Task<Results<Ok<ImageInfo>, ApiErrorResult>> ReadImageAsync(HttpContext context)
    {
        var body = await RequestBody.ReadAsync(context.Request, ApiJson.Default.ImageInfoBody, withHash: false);
        if (body.Error is { } error)
            return (ApiErrorResult)error;
        if (body.Value!.Image is not { } file)
            return (ApiErrorResult)ApiError.Invalid("image", "'image' is missing: it must be a PNG, JPEG or WebP file as Base64.");
        if (file.Problem is { } problem)
            return (ApiErrorResult)ApiError.Invalid("image", $"'image' {problem}");
        var texts = ImageTexts.Read(file.Bytes.Span);
        var info = texts.GetValueOrDefault(ImageTexts.Parameters, "");
        return TypedResults.Ok(new ImageInfo(info, texts, ImageParametersText.Parse(info)));
    }

    static Automatic1111Options Options(ModelNames models) => new() { SdModelCheckpoint = models.Served };

    static TBuilder ProducesErrors<TBuilder>(this TBuilder endpoint, params ReadOnlySpan<int> statuses)
        where TBuilder : IEndpointConventionBuilder
    {
        foreach (var status in statuses)
            endpoint.WithMetadata(new ProducesResponseTypeMetadata(status, typeof(Automatic1111Error), ["application/json"]));
        return endpoint;
    }
}
