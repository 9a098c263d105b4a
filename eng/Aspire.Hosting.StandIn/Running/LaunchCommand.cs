using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Running;

/// <summary>A resource turned into a program to start.</summary>
sealed record LaunchCommand(string Program, IReadOnlyList<string> Arguments, string WorkingDirectory, IReadOnlyDictionary<string, string?> Environment, string CleanUp = "")
{
    /// <summary>Variables of the AppHost that mean the AppHost, not its children.</summary>
    static readonly string[] NotInherited = ["ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT", "ASPNETCORE_URLS", "DOTNET_LAUNCH_PROFILE"];

    /// <summary>Resolves every value; waits for those that are not known yet.</summary>
    public static async Task<LaunchCommand> ForAsync(Resource resource, string id, string? otlpEndpoint, IHostEnvironment host, CancellationToken cancellation)
    {
        var environment = NotInherited.ToDictionary(name => name, _ => (string?)null);
        if (resource is ProjectResource)
        {
            AddTelemetry(environment, resource.Name, id, otlpEndpoint, host);
            if (await UrlsAsync(resource, cancellation) is { Length: > 0 } urls)
                environment["ASPNETCORE_URLS"] = urls;
        }
        foreach (var endpoint in resource.Endpoints)
            if (endpoint.Variable is { } variable)
                environment[variable] = $"{endpoint.TargetPort ?? await endpoint.Allocated.Task.WaitAsync(cancellation)}";
        var given = new Dictionary<string, object>();
        foreach (var fill in resource.Environment)
            await fill(given, cancellation);
        foreach (var (name, value) in given)
            environment[name] = await TextAsync(value, cancellation);
        var arguments = new List<string>();
        foreach (var argument in resource.Arguments)
            arguments.Add(await TextAsync(argument, cancellation) ?? "");

        return resource switch
        {
            ProjectResource project => ForProject(project, arguments, environment),
            ExecutableResource executable => new(executable.Command, arguments, executable.WorkingDirectory, environment),
            ContainerResource container => await ContainerAsync(container, id, arguments, given.Keys, environment, cancellation),
            _ => throw new DistributedApplicationException($"'{resource.Name}' is nothing that runs."),
        };
    }

    static void AddTelemetry(Dictionary<string, string?> environment, string name, string id, string? otlpEndpoint, IHostEnvironment host)
    {
        environment["OTEL_SERVICE_NAME"] = name;
        environment["OTEL_RESOURCE_ATTRIBUTES"] = $"service.instance.id={id[(name.Length + 1)..]}";
        if (otlpEndpoint is null) return;
        environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = otlpEndpoint;
        environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "grpc";
        if (!host.IsDevelopment()) return;
        environment["OTEL_BLRP_SCHEDULE_DELAY"] = "1000";
        environment["OTEL_BSP_SCHEDULE_DELAY"] = "1000";
        environment["OTEL_METRIC_EXPORT_INTERVAL"] = "1000";
        environment["OTEL_TRACES_SAMPLER"] = "always_on";
        environment["OTEL_METRICS_EXEMPLAR_FILTER"] = "trace_based";
    }

    static async Task<string> UrlsAsync(Resource resource, CancellationToken cancellation)
    {
        var urls = new List<string>();
        foreach (var endpoint in resource.Endpoints.Where(endpoint => endpoint.Scheme == "http"))
            urls.Add($"http://localhost:{endpoint.TargetPort ?? await endpoint.Allocated.Task.WaitAsync(cancellation)}");
        return string.Join(';', urls);
    }

    /// <summary>The project's program lies where the AppHost's own lies, in its own folder: both are built by the same build.</summary>
    static LaunchCommand ForProject(ProjectResource project, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string?> environment)
    {
        var folder = Path.GetDirectoryName(project.ProjectPath)!;
        var name = Path.GetFileNameWithoutExtension(project.ProjectPath);
        var output = Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory);
        var bin = output.LastIndexOf($"{Path.DirectorySeparatorChar}bin{Path.DirectorySeparatorChar}", StringComparison.Ordinal);
        var program = bin < 0 ? "" : Path.Combine(folder + output[bin..], name + ".dll");
        if (!File.Exists(program))
            throw new DistributedApplicationException($"'{project.Name}' is not built: looked for '{program}'. `dotnet build` builds all.");
        return new(System.Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [program, .. arguments], folder, environment);
    }

    static async Task<LaunchCommand> ContainerAsync(ContainerResource container, string id, IReadOnlyList<string> arguments, IEnumerable<string> variables, IReadOnlyDictionary<string, string?> environment, CancellationToken cancellation)
    {
        var docker = new List<string> { "run", "--rm", "--name", id };
        foreach (var endpoint in container.Endpoints)
            docker.AddRange(["--publish", $"127.0.0.1:{await endpoint.Allocated.Task.WaitAsync(cancellation)}:{endpoint.TargetPort}"]);
        foreach (var (source, target) in container.Mounts)
            docker.AddRange(["--volume", $"{source}:{target}"]);
        foreach (var name in variables)
            docker.AddRange(["--env", name]);
        if (container.Entrypoint is { } entrypoint)
            docker.AddRange(["--entrypoint", entrypoint]);
        return new("docker", [.. docker, container.Image, .. arguments], System.Environment.CurrentDirectory, environment, $"docker rm --force {id}");
    }

    static async ValueTask<string?> TextAsync(object value, CancellationToken cancellation) =>
        value is IValueProvider provider ? await provider.GetValueAsync(cancellation) : value.ToString();
}
