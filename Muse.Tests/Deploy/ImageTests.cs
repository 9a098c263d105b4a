using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Muse.Tests.Infrastructure;
using Muse.Tests.Queue;

namespace Muse.Tests.Deploy;

/// <summary>
/// The container images, built by <c>./muse images</c> with Buildah. Each program then runs in its image's own root, as the image's user,
/// without a container engine. Needs root and takes minutes, so it runs only where <c>MUSE_TEST_IMAGE_BASE</c> names a base image.
/// </summary>
public sealed class ImageTests
{
    const string Key = "a-secret-of-an-operator";

    [SkippableFact]
    public async Task The_programs_generate_an_image_in_roots_of_their_own_that_they_can_not_write()
    {
        var baseImage = Environment.GetEnvironmentVariable("MUSE_TEST_IMAGE_BASE");
        Skip.If(string.IsNullOrEmpty(baseImage), "MUSE_TEST_IMAGE_BASE does not name an image in Buildah's storage to build on.");
        Skip.If(Helm.OnPath("buildah") is null || Environment.UserName != "root", "This needs Buildah, and root.");

        await using var redis = await RedisServer.StartAsync();
        await RunAsync(TimeSpan.FromMinutes(20), Path.Combine(Repository.Root, "muse"), "images", "--with", "buildah", "--base", baseImage,
            "--tag", "test", "api", "worker-cpu", "autoscaler");
        int api = RedisServer.FreePort(), worker = RedisServer.FreePort(), autoscaler = RedisServer.FreePort();
        await using var first = await RootedProgram.StartAsync("muse-api", redis, api, $"MUSE_API_KEYS=test:{Key}:operator");
        await using var second = await RootedProgram.StartAsync("muse-worker-cpu", redis, worker);
        await using var third = await RootedProgram.StartAsync("muse-autoscaler", redis, autoscaler, "MUSE_AUTOSCALE_ACTOR=none");

        using var client = new HttpClient { BaseAddress = new($"http://127.0.0.1:{api}") };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", Key);
        foreach (var port in new[] { api, worker, autoscaler })
        {
            Assert.Equal(200, await Samples.EventuallyAsync(async () =>
            {
                try
                {
                    return (int)(await client.GetAsync($"http://127.0.0.1:{port}/health")).StatusCode;
                }
                catch (HttpRequestException)
                {
                    return 0;
                }
            }, status => status == 200));
        }

        Assert.Contains("<!doctype html>", await client.GetStringAsync("/"), StringComparison.OrdinalIgnoreCase);
        using var response = await client.PostAsJsonAsync("/v1/images/generations",
            new { prompt = "a red circle on a blue background", response_format = "b64_json" });
        using var body = JsonDocument.Parse(await response.Content.ReadAsStringAsync());
        var png = body.RootElement.GetProperty("data")[0].GetProperty("b64_json").GetBytesFromBase64();
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], png[..4]);
    }

    static async Task<string> RunAsync(TimeSpan limit, string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var cancellation = new CancellationTokenSource(limit);
        await process.WaitForExitAsync(cancellation.Token);
        Assert.True(process.ExitCode == 0, $"{program} {string.Join(' ', arguments)}\n{await output}\n{await errors}");
        return (await output).Trim();
    }

    /// <summary>The entry point of an image in the image's root, which is read-only but for /tmp, with the image's user.</summary>
    sealed class RootedProgram(string container, Process process) : IAsyncDisposable
    {
        // In mount and process namespaces of its own, which end with it.
        const string Script = """
            root=$1 user=$2 folder=$3; shift 3
            mount --bind "$root" "$root" && mount -t proc proc "$root/proc" && mount -t tmpfs tmp "$root/tmp" && chmod 1777 "$root/tmp" &&
                mount -o remount,bind,ro "$root" && exec setpriv --no-new-privs chroot --userspec="$user" "$root" env -C "$folder" "$@"
            """;

        public static async Task<RootedProgram> StartAsync(string image, RedisServer redis, int port, params string[] settings)
        {
            var container = await RunAsync(TimeSpan.FromMinutes(5), "buildah", "from", "--pull-never", $"localhost/{image}:test");
            var root = await RunAsync(TimeSpan.FromMinutes(5), "buildah", "mount", container);
            const string format = "{{.OCIv1.Config.User}} {{.OCIv1.Config.WorkingDir}} {{index .OCIv1.Config.Entrypoint 0}}";
            var config = (await RunAsync(TimeSpan.FromMinutes(5), "buildah", "inspect", "--type", "image", "--format", format,
                $"localhost/{image}:test")).Split(' ');
            var (user, folder, entryPoint) = (config[0], config[1], config[2]);
            Assert.Equal("10001:10001", user);
            string[] environment = ["-i", $"ConnectionStrings__redis={redis.ConnectionString}", $"ASPNETCORE_HTTP_PORTS={port}",
                "MUSE_MODEL=/app/models/scenes", .. settings];
            return new(container, Process.Start("unshare", ["--mount", "--pid", "--fork", "--propagation", "private", "sh",
                "-c", Script, "sh", root, user, folder, .. environment, entryPoint]));
        }

        public async ValueTask DisposeAsync()
        {
            process.Kill(entireProcessTree: true); // unshare does not end its child.
            await process.WaitForExitAsync();
            process.Dispose();
            await RunAsync(TimeSpan.FromMinutes(5), "buildah", "umount", container);
            await RunAsync(TimeSpan.FromMinutes(5), "buildah", "rm", container);
        }
    }
}
