using System.Diagnostics;
using System.Text;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Api;

/// <summary>
/// Clients of npm (OpenAI's, Vercel's, LangChain's, one of AUTOMATIC1111's API) and an OpenAPI validator against the API.
/// </summary>
public sealed class NodeClientTests
{
    static readonly string Folder = Path.Combine(Repository.Root, "Muse.Tests", "Api", "node");

    [SkippableFact]
    public async Task The_official_Node_client_generates_streams_fails_and_cancels()
    {
        NeedsNode();
        await using var server = await ApiServer.StartAsync();
        Assert.EndsWith("ok", await RunAsync("contract.mjs", [server.Address.ToString()], line =>
        {
            if (line == "partial")
                server.Worker!.Advance();
        }));
    }

    [SkippableFact]
    public async Task The_official_Node_client_comes_back_by_itself_after_429()
    {
        NeedsNode();
        await using var server = await ApiServer.StartAsync(settings: ApiServer.OneRequestASecond);
        Assert.EndsWith("ok", await RunAsync("retry.mjs", server.Address.ToString(), ApiServer.HurriedKey));
    }

    [SkippableFact]
    public async Task Vercel_s_SDK_and_LangChain_s_image_tool_generate_and_edit()
    {
        NeedsNode();
        await using var server = await ApiServer.StartAsync();
        Assert.EndsWith("ok", await RunAsync("clients.mjs", server.Address.ToString()));
    }

    [SkippableFact]
    public async Task A_client_of_AUTOMATIC1111_s_API_lists_generates_and_edits()
    {
        NeedsNode();
        await using var server = await ApiServer.StartAsync();
        Assert.EndsWith("ok", await RunAsync("automatic1111.mjs", server.Address.ToString()));
    }

    [SkippableFact]
    public async Task The_document_is_valid_by_a_tool_that_is_not_ours()
    {
        NeedsNode();
        await using var server = await ApiServer.StartAsync(withoutWorker: true);
        var file = Path.Combine(Path.GetTempPath(), $"muse-openapi-{Guid.NewGuid():N}.json");
        await File.WriteAllTextAsync(file, await server.Client.GetStringAsync("/openapi/v1.json"));
        try
        {
            await RunAsync("node_modules/@redocly/cli/bin/cli.js", "lint", "--extends=spec", file);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [SkippableFact]
    public async Task A_client_generated_from_the_document_compiles_and_generates()
    {
        NeedsNode();
        await using var server = await ApiServer.StartAsync();
        var folder = Directory.CreateTempSubdirectory("muse-generated-client-").FullName;
        try
        {
            var document = Path.Combine(folder, "openapi.json");
            await File.WriteAllTextAsync(document, await server.Client.GetStringAsync("/openapi/v1.json"));
            Assert.EndsWith("ok", await RunAsync("generate.mjs", document, folder, server.Address.ToString()));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    internal static void NeedsNode()
    {
        Skip.If(!(Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Any(folder => File.Exists(Path.Combine(folder, "node"))), "There is no node on the PATH.");
        Skip.If(!Directory.Exists(Path.Combine(Folder, "node_modules", "stable-diffusion-image-metadata")),
            "npm install was not run in Muse.Tests/Api/node: ./muse test does it.");
    }

    /// <summary>Runs a script and returns what it printed; fails the test with it if it fails.</summary>
    internal static Task<string> RunAsync(string script, params string[] arguments) => RunAsync(script, arguments, static _ => { });

    static async Task<string> RunAsync(string script, string[] arguments, Action<string> heard)
    {
        var start = new ProcessStartInfo("node") { WorkingDirectory = Folder, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var argument in (string[])[script, .. arguments])
            start.ArgumentList.Add(argument);
        start.Environment["REDOCLY_TELEMETRY"] = "off";
        start.Environment["REDOCLY_SUPPRESS_UPDATE_NOTICE"] = "true";
        using var process = Process.Start(start)!;
        var (output, errors) = (ListenAsync(process.StandardOutput, heard), process.StandardError.ReadToEndAsync());
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(120));
        await process.WaitForExitAsync(limit.Token);
        Assert.True(process.ExitCode == 0, $"{await output}\n{await errors}");
        return (await output).Trim();
    }

    static async Task<string> ListenAsync(StreamReader output, Action<string> heard)
    {
        var lines = new StringBuilder();
        while (await output.ReadLineAsync() is { } line)
        {
            lines.AppendLine(line);
            heard(line);
        }
        return lines.ToString();
    }
}
