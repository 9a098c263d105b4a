using System.Collections.Concurrent;
using System.Diagnostics;
using k8s;
using k8s.Models;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Deploy;

/// <summary>Muse's Helm chart, and the program <c>helm</c> to render it with.</summary>
static class Helm
{
    /// <summary>The chart's folder.</summary>
    public static readonly string Chart = Path.Combine(Repository.Root, "deploy", "helm", "muse");

    static readonly string Installed = Path.Combine(Repository.Root, ".tools", "helm", "helm");

    static readonly Dictionary<string, Type> CustomTypes = new()
    {
        ["keda.sh/v1alpha1/ScaledObject"] = typeof(ScaledObject),
        ["monitoring.coreos.com/v1/ServiceMonitor"] = typeof(ServiceMonitor),
        ["monitoring.coreos.com/v1/PrometheusRule"] = typeof(PrometheusRule),
    };

    static readonly ConcurrentDictionary<string, Lazy<Task<IReadOnlyList<IKubernetesObject<V1ObjectMeta>>>>> Rendered = new();

    /// <summary>A file of values beside the tests.</summary>
    public static string Values(string name) => Path.Combine(Repository.Root, "Muse.Tests", "Deploy", "values", name + ".yaml");

    /// <summary>
    /// The chart as release <c>muse</c> in the namespace <c>images</c>, rendered once for all tests. Every property must be one that its
    /// type has.
    /// </summary>
    public static Task<IReadOnlyList<IKubernetesObject<V1ObjectMeta>>> RenderAsync(string values)
    {
        return Rendered.GetOrAdd(values, name => new(() => RenderOnceAsync(name))).Value;

        static async Task<IReadOnlyList<IKubernetesObject<V1ObjectMeta>>> RenderOnceAsync(string values) =>
            Load(await RunAsync("template", "muse", Chart, "--namespace", "images", "--values", Values(values)));
    }

    /// <summary>Reads objects strictly.</summary>
    public static List<IKubernetesObject<V1ObjectMeta>> Load(string yaml) =>
        [.. KubernetesYaml.LoadAllFromString(yaml, CustomTypes, strict: true).Cast<IKubernetesObject<V1ObjectMeta>>()];

    /// <summary>Runs helm, fails the test if it fails, and returns what it printed.</summary>
    public static async Task<string> RunAsync(params string[] arguments)
    {
        var (exitCode, output, errors) = await TryAsync(arguments);
        Assert.True(exitCode == 0, $"helm {string.Join(' ', arguments)}\n{output}\n{errors}");
        return output;
    }

    /// <summary>Runs helm. Skips the test where there is none.</summary>
    public static Task<(int ExitCode, string Output, string Errors)> TryAsync(params string[] arguments)
    {
        var helm = File.Exists(Installed) ? Installed : OnPath("helm");
        Skip.If(helm is null, "There is no helm: ./muse test installs one where there is npm.");
        return StartAsync(helm!, arguments);
    }

    /// <summary>A program on the PATH, or null.</summary>
    public static string? OnPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    /// <summary>Runs a program to its end.</summary>
    public static async Task<(int ExitCode, string Output, string Errors)> StartAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        await process.WaitForExitAsync(limit.Token);
        return (process.ExitCode, await output, await errors);
    }
}
