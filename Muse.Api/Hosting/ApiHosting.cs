using System.Net;
using Microsoft.AspNetCore.HttpOverrides;
using Microsoft.AspNetCore.ResponseCompression;
using Microsoft.Extensions.Options;

namespace Muse.Api;

/// <summary>The services and the request pipeline of the API.</summary>
public static partial class ApiHosting
{
    /// <summary>Adds the services of the API and the settings of its server.</summary>
    public static WebApplicationBuilder AddMuseApi(this WebApplicationBuilder builder)
    {
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = RequestBody.MaxBytes;
        });
        builder.Services.AddOptions<ApiOptions>().BindConfiguration("Api").ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<ApiOptions>, ApiOptionsValidator>()
            .AddSingleton<IValidateOptions<ApiOptions>, AnonymousAccessValidator>();
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, ApiJson.Default));
        builder.Services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.PropertyNamingPolicy = System.Text.Json.JsonNamingPolicy.SnakeCaseLower;
            json.SerializerOptions.DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull;
            json.SerializerOptions.NumberHandling = System.Text.Json.Serialization.JsonNumberHandling.Strict;
        });
        builder.Services
            .AddSingleton<ModelCardCache>()
            .AddSingleton<ModelNames>()
            .AddSingleton<WebhookRules>()
            .AddSingleton<WebhookSchedule>()
            .AddSingleton<InputImageDecoder>()
            .AddSingleton<RequestInputs>()
            .AddSingleton<JobParser>()
            .AddSingleton<JobSubmission>()
            .AddSingleton<InterruptedRequests>()
            .AddSingleton<AbandonedJobs>()
            .AddHostedService(services => services.GetRequiredService<AbandonedJobs>())
            .AddSingleton<WaitingConnections>()
            .AddSingleton<ImageLinks>()
            .AddSingleton<GenerationViews>()
            .AddSingleton<PredictCounter>()
            .AddSingleton<Automatic1111Mapping>()
            .AddSingleton<Automatic1111Jobs>()
            .AddHostedService<OperationsMetrics>()
            .AddSingleton<OperationsFeed>()
            .AddHostedService(services => services.GetRequiredService<OperationsFeed>())
            .AddHostedService<ObjectSweeper>()
            .AddSingleton<WebhookSender>()
            .AddHostedService(services => services.GetRequiredService<WebhookSender>());
        builder.Services.AddHttpClient(WebhookSender.Client, client => client.Timeout = TimeSpan.FromSeconds(10))
            .ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler { AllowAutoRedirect = false });
        builder.Services.AddCallers();
        CrossOrigin.AddTo(builder.Services);
        builder.Services.AddSingleton<IProblemDetailsWriter, ApiProblemWriter>().AddProblemDetails();
        RateLimits.AddTo(builder.Services);
        CachedHealth.AddTo(builder.Services);
        builder.Services.AddApiDocument();
        builder.Services.AddResponseCompression(compression =>
        {
            compression.EnableForHttps = true;
            compression.MimeTypes = [.. ResponseCompressionDefaults.MimeTypes, "image/svg+xml"];
        });
        return builder;
    }

    /// <summary>Adds the pipeline of every request.</summary>
    public static WebApplication UseMuseApi(this WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<ApiOptions>>().Value;
        app.UseOversizedBodies();
        app.UseMiddleware<RequestIdMiddleware>();
        app.UseMiddleware<ErrorHandlingMiddleware>();
        app.UseStatusCodePages(static pages => new ApiErrorResult(ApiError.From(pages.HttpContext)).ExecuteAsync(pages.HttpContext));
        if (Forwarding(options) is { } forwarding)
            app.UseForwardedHeaders(forwarding);
        app.UseMiddleware<SecurityHeadersMiddleware>();
        app.UsePathNormalization();
        app.UsePages();
        app.UseHeadRequests();
        app.UseRouting();
        app.UseCors();
        app.Use(app.Services.GetRequiredService<CrossOrigin>().InvokeAsync);
        app.UseAuthentication();
        app.UseAuthorization();
        app.UseRateLimiter();
        app.Use(app.Services.GetRequiredService<ImageLinks>().LoadSecretAsync);
        if (!app.Services.GetRequiredService<ApiKeys>().Enabled)
            KeysOff(app.Logger);
        return app;
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "API keys are off: everyone who reaches this server may submit jobs, "
        + "and direct connections from this machine are an operator's. MUSE_API_KEYS=name:secret[:operator],... turns keys on")]
    static partial void KeysOff(ILogger logger);

    static ForwardedHeadersOptions? Forwarding(ApiOptions options)
    {
        var proxies = ApiOptions.Split(options.TrustedProxies);
        if (proxies.Length == 0)
            return null;
        var forwarding = new ForwardedHeadersOptions { ForwardedHeaders = ForwardedHeaders.All, ForwardLimit = null };
        forwarding.KnownProxies.Clear();
        forwarding.KnownIPNetworks.Clear();
        foreach (var proxy in proxies)
        {
            if (proxy.Contains('/'))
                forwarding.KnownIPNetworks.Add(System.Net.IPNetwork.Parse(proxy));
            else
                forwarding.KnownProxies.Add(IPAddress.Parse(proxy));
        }

        return forwarding;
    }
}
