using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Muse.Tests.Infrastructure;

/// <summary>A certificate for 127.0.0.1 that is its own authority, as files.</summary>
public sealed class RedisCertificate : IDisposable
{
    readonly string folder = Directory.CreateTempSubdirectory("muse-certificate-").FullName;

    public RedisCertificate()
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=127.0.0.1", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        names.AddIpAddress(IPAddress.Loopback);
        names.AddDnsName("127.0.0.1");
        request.CertificateExtensions.Add(names.Build());
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        var now = TimeProvider.System.GetUtcNow();
        using var certificate = request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        File.WriteAllText(CertificateFile, certificate.ExportCertificatePem());
        File.WriteAllText(KeyFile, key.ExportPkcs8PrivateKeyPem());
    }

    public string CertificateFile => Path.Combine(folder, "redis.crt");

    /// <summary>The settings of a Redis that serves TLS with it.</summary>
    public string[] RedisArguments(int port) =>
    [
        "--tls-port", $"{port}", "--tls-auth-clients", "no",
        "--tls-cert-file", CertificateFile, "--tls-key-file", KeyFile, "--tls-ca-cert-file", CertificateFile,
    ];

    string KeyFile => Path.Combine(folder, "redis.key");

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
