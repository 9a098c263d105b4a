using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using Muse.ServiceDefaults;

namespace Muse.AppHost;

/// <summary>How Muse's own programs are started, and their settings.</summary>
static class ProjectExtensions
{
    /// <summary>Runs the built program itself. Aspire's default, <c>dotnet run</c>, takes about 150 MB and two seconds more.</summary>
    /// <remarks>An IDE that starts the project itself is not affected, nor is a build into another folder.</remarks>
    public static IResourceBuilder<ProjectResource> WithBuiltProgram(this IResourceBuilder<ProjectResource> project)
    {
        var program = BuiltProgram(project.Resource.GetProjectMetadata().ProjectPath);
        if (!File.Exists(program))
            return project;
#pragma warning disable ASPIREEXTENSION001 // Experimental, and the only supported way to name the command that starts a project.
        return project.WithLaunchToolArgs(launch => launch.Args.Add(program), "project", showInCommandLine: false);
#pragma warning restore ASPIREEXTENSION001
    }

    /// <summary>Where the build of the AppHost's own configuration puts a project's program.</summary>
    static string BuiltProgram(string projectFile)
    {
        var attribute = typeof(ProjectExtensions).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>();
        var configuration = attribute?.Configuration ?? "Debug";
        var framework = $"net{Environment.Version.ToString(2)}";
        var file = Path.GetFileNameWithoutExtension(projectFile) + ".dll";
        return Path.Combine(Path.GetDirectoryName(projectFile)!, "bin", configuration, framework, file);
    }

    /// <summary>Where the API listens, with the pages that it serves. On this machine it listens there itself, without a proxy.</summary>
    public static IResourceBuilder<ProjectResource> WithApiEndpoint(this IResourceBuilder<ProjectResource> api, AppHostSettings settings)
    {
        api.WithHttpEndpoint().WithExternalHttpEndpoints();
        if (api.ApplicationBuilder.ExecutionContext.IsPublishMode)
            return api;
        return api
            .WithEndpoint("http", endpoint =>
            {
                endpoint.Port = endpoint.TargetPort = settings.HttpPort;
                endpoint.TargetHost = settings.HttpHost;
                endpoint.IsProxied = false;
            })
            .WithUrlForEndpoint("http", url => url.DisplayText = "Page")
            .WithUrlForEndpoint("http", _ => new() { Url = "/ops", DisplayText = "Live view" })
            .WithUrlForEndpoint("http", _ => new() { Url = "/scalar", DisplayText = "API reference" });
    }

    /// <summary>Passes on the <c>MUSE_*</c> settings of the user, the numbers of workers, and the environment's name.</summary>
    public static IResourceBuilder<ProjectResource> WithMuseSettings(
        this IResourceBuilder<ProjectResource> project, AppHostSettings settings)
    {
        foreach (var (name, _) in MuseSettings.All)
        {
            if (project.ApplicationBuilder.Configuration[name] is not { Length: > 0 } value || name == ApiKeysVariable)
                continue;
            // A project runs in its own folder: what was relative to the user's would point elsewhere there.
            project.WithEnvironment(name, name == "MUSE_MODEL" && Directory.Exists(value) ? Path.GetFullPath(value) : value);
        }
        if (project.ApplicationBuilder.ExecutionContext.IsRunMode)
            project.WithEnvironment("DOTNET_ENVIRONMENT", project.ApplicationBuilder.Environment.EnvironmentName);
        return project
            .WithEnvironment("MUSE_MIN_WORKERS", settings.MinWorkers.ToString())
            .WithEnvironment("MUSE_MAX_WORKERS", settings.MaxWorkers.ToString());
    }

    const string ApiKeysVariable = "MUSE_API_KEYS";

    /// <summary>Hands the API its keys as a secret, which the dashboard does not show.</summary>
    public static IResourceBuilder<ProjectResource> WithApiKeys(this IResourceBuilder<ProjectResource> api, AppHostSettings settings) =>
        settings.ApiKeys is { } keys
            ? api.WithEnvironment(ApiKeysVariable, api.ApplicationBuilder.AddParameter("api-keys", () => keys, secret: true))
            : api;

    /// <summary>Tells a worker which instance it is (for its heartbeats) and which GPU is its own.</summary>
    public static IResourceBuilder<ProjectResource> WithWorkerIdentity(this IResourceBuilder<ProjectResource> worker, int index) =>
        worker.WithEnvironment("MUSE_INSTANCE", worker.Resource.Name).WithEnvironment("MUSE_GPU_INDEX", index.ToString());

    /// <summary>Adds the dashboard's command that takes a worker out of service without losing its work.</summary>
    public static IResourceBuilder<ProjectResource> WithDrainCommand(this IResourceBuilder<ProjectResource> worker, int index) =>
        worker.WithCommand("drain", "Drain", context =>
        {
            context.Services.GetRequiredService<WorkerPool>().RequestDrain(index);
            return Task.FromResult(CommandResults.Success());
        }, new()
        {
            Description = "Hand back the images in progress, then stop. If a worker is still needed, another one starts.",
            IconName = "ArrowExit",
            UpdateState = context => context.ResourceSnapshot.State?.Text == KnownResourceStates.Running
                ? ResourceCommandState.Enabled
                : ResourceCommandState.Disabled,
        });
}
