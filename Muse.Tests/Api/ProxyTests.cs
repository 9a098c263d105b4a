using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Muse.Api;
using Muse.Tests.Infrastructure;

namespace Muse.Tests.Api;

/// <summary>The API behind nginx: TLS, a path prefix, forwarded headers.</summary>
public sealed class ProxyTests : IAsyncLifetime
{
    const string Key = "proxied-0123456789abcdef";

    ApiServer server = null!;
    Nginx nginx = null!;
    HttpClient client = null!;

    public async Task InitializeAsync()
    {
        Skip.If(Nginx.Executable is null, "There is no nginx: apt-get install nginx-light.");
        server = await ApiServer.StartAsync(new() { Slots = 1000 }, new Dictionary<string, string>
        {
            ["Api:TrustedProxies"] = "127.0.0.1",
            ["Api:Keys"] = $"proxied:{Key}",
            ["Api:RateLimits:Enabled"] = "true",
            ["Api:RateLimits:KeyRequests"] = "100000",
            ["Queue:MaxWait"] = "01:00:00",
        });
        nginx = await Nginx.StartAsync(server.Address);
        client = new HttpClient(new SocketsHttpHandler
        {
            SslOptions = { RemoteCertificateValidationCallback = static (_, _, _, _) =>
            true },
            AllowAutoRedirect = false
        })
        {
            BaseAddress = nginx.Address,
            Timeout = TimeSpan.FromMinutes(2),
            DefaultRequestHeaders = { Authorization = new("Bearer", Key) },
        };
    }

    public async Task DisposeAsync()
    {
        client?.Dispose();
        if (nginx is not null)
            await nginx.DisposeAsync();
        if (server is not null)
            await server.DisposeAsync();
    }

    [SkippableTheory]
    [InlineData("muse/")]
    [InlineData("whole/")]
    public async Task Links_and_pages_work_below_the_prefix_whether_the_proxy_removes_it_or_not(string prefix)
    {
        using var response = await client.PostAsJsonAsync($"{prefix}v1/images/generations",
            new { prompt = "a fox", response_format = "url" });
        var link = (await response.Content.ReadFromJsonAsync(ApiJson.Default.ImagesResponseBody))!.Data[0].Url!;
        Assert.StartsWith($"{nginx.Address}{prefix}v1/images/files/", link);
        Assert.Equal(0x89, (await client.GetByteArrayAsync(link))[0]);
        using var job = await client.PostAsJsonAsync($"{prefix}v1/generations", new { prompt = "a fox" });
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(job.Headers.Location)).StatusCode);

        foreach (var page in (string[])[prefix, $"{prefix}ops"])
        {
            var address = new Uri(nginx.Address, page);
            var html = await client.GetStringAsync(address);
            foreach (System.Text.RegularExpressions.Match found in System.Text.RegularExpressions.Regex.Matches(html,
                "(?:src|href)=\"([^\"#]+)"))
            {
                using var part = await client.GetAsync(new Uri(address, found.Groups[1].Value));
                // /metrics needs an operator's key.
                Assert.True((int)part.StatusCode is < 400 or 403, $"{found.Groups[1].Value}: {part.StatusCode}");
            }
        }
    }

    [SkippableFact]
    public async Task Events_are_not_buffered()
    {
        using var job = await client.PostAsJsonAsync("muse/v1/generations", new { prompt = "hold it" });
        using var stream = await client.GetStreamAsync($"{job.Headers.Location}/events");
        // The first event comes while the job is held: nginx passes it on at once.
        await Sse.ReadAllAsync(stream, item => item.Data.GetProperty("state").GetString() is "queued" or "running");
        Assert.Equal(0, server.Worker!.Completed);
        server.Worker.Release();
    }

    [SkippableFact]
    public async Task A_thousand_clients_wait_through_the_proxy()
    {
        var waiting = Enumerable.Range(0, 1000).Select(i =>
            client.PostAsJsonAsync("muse/v1/images/generations", new { prompt = "hold it", seed = i })).ToList();
        await ImagesTests.Until(() => server.Worker!.Seen.Count == 1000);
        server.Worker!.Release();
        foreach (var response in await Task.WhenAll(waiting))
        {
            using (response)
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
    }

    /// <summary>Debian's nginx on a loopback port: <c>/muse/</c> without the prefix to the API, <c>/whole/</c> with it.</summary>
    sealed class Nginx : IAsyncDisposable
    {
        readonly string folder;
        readonly Process process;

        Nginx(string folder, Process process, Uri address) => (this.folder, this.process, Address) = (folder, process, address);

        public Uri Address { get; }

        public static string? Executable { get; } = ((string[])["/usr/sbin/nginx", "/usr/bin/nginx"]).FirstOrDefault(File.Exists);

        public static async Task<Nginx> StartAsync(Uri api)
        {
            var folder = Directory.CreateTempSubdirectory("muse-nginx-").FullName;
            using (var rsa = RSA.Create(2048))
            {
                var request = new CertificateRequest("CN=localhost", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
                using var certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
                await File.WriteAllTextAsync($"{folder}/cert.pem", certificate.ExportCertificatePem());
                await File.WriteAllTextAsync($"{folder}/key.pem", rsa.ExportPkcs8PrivateKeyPem());
            }

            var address = new Uri($"https://localhost:{RedisServer.FreePort()}/");
            await File.WriteAllTextAsync($"{folder}/nginx.conf", $$"""
                daemon off;
                pid {{folder}}/pid;
                error_log {{folder}}/error.log;
                worker_rlimit_nofile 8192;
                events { worker_connections 4096; }
                http {
                  access_log off;
                  client_body_temp_path {{folder}}/body;
                  proxy_temp_path {{folder}}/proxy;
                  fastcgi_temp_path {{folder}}/fastcgi;
                  uwsgi_temp_path {{folder}}/uwsgi;
                  scgi_temp_path {{folder}}/scgi;
                  server {
                    listen 127.0.0.1:{{address.Port}} ssl;
                    ssl_certificate {{folder}}/cert.pem;
                    ssl_certificate_key {{folder}}/key.pem;
                    client_max_body_size 2m;
                    proxy_http_version 1.1;
                    proxy_read_timeout 600s;
                    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                    proxy_set_header X-Forwarded-Proto $scheme;
                    proxy_set_header X-Forwarded-Host $http_host;
                    location /muse/ {
                      proxy_set_header X-Forwarded-Prefix /muse;
                      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                      proxy_set_header X-Forwarded-Proto $scheme;
                      proxy_set_header X-Forwarded-Host $http_host;
                      proxy_pass {{api}};
                    }
                    location /whole/ {
                      proxy_set_header X-Forwarded-Prefix /whole;
                      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
                      proxy_set_header X-Forwarded-Proto $scheme;
                      proxy_set_header X-Forwarded-Host $http_host;
                      proxy_pass {{api.GetLeftPart(UriPartial.Authority)}};
                    }
                  }
                }
                """);
            var process = Process.Start(new ProcessStartInfo(Executable!,
                ["-e", $"{folder}/error.log", "-p", folder, "-c", $"{folder}/nginx.conf"])
            { RedirectStandardError = true })!;
            var nginx = new Nginx(folder, process, address);
            await ImagesTests.Until(() => process.HasExited || File.Exists($"{folder}/pid")
                && File.ReadAllText($"{folder}/pid").Length > 0);
            Assert.False(process.HasExited, File.Exists($"{folder}/error.log") ? File.ReadAllText($"{folder}/error.log")
                : "nginx did not start.");
            return nginx;
        }

        public async ValueTask DisposeAsync()
        {
            // SIGTERM, so that the master process ends its workers.
            Signal.Terminate.SendTo(process.Id);
            await process.WaitForExitAsync();
            process.Dispose();
            Directory.Delete(folder, recursive: true);
        }
    }
}
