"""The same trade in other languages, two of them without spaces: honest work is not English."""

from random import Random

# ruff: noqa: ISC004, RUF001  # texts of other languages, in pieces of a line each
_SLOTS = {
    "de": (
        (
            "die Rechnung",
            "der Warenkorb",
            "die Warteschlange",
            "der Zwischenspeicher",
            "das Abbild",
        ),
        ("die Liste leer ist", "zwei Prozesse zugleich beginnen", "die Verbindung abbricht"),
        (
            "Warum geht {n} verloren, wenn {c}? Bitte erkläre Schritt für Schritt, was in {f} "
            "geschieht, und schlage die kleinste Änderung vor, nach der {m} erhalten bleibt.",
            "Schreibe einen Test für {f}: {n} darf nicht doppelt gebucht werden, auch wenn {c}. "
            "Vergiss dabei nicht, dass {m} von einer anderen Gruppe gepflegt wird.",
        ),
    ),
    "es": (
        ("la factura", "el carrito", "la cola de mensajes", "la copia", "el calendario"),
        ("la lista está vacía", "dos procesos empiezan a la vez", "se corta la conexión"),
        (
            "¿Por qué se pierde {n} cuando {c}? Explica paso a paso lo que hace {f} y propone el "
            "cambio más pequeño que conserve {m} sin tocar la interfaz pública.",
            "Escribe una prueba de {f} que demuestre que {n} no se cobra dos veces, aunque {c}; "
            "ten en cuenta que {m} lo mantiene otro equipo.",
        ),
    ),
    "ru": (
        ("счёт", "корзина", "очередь сообщений", "снимок данных", "календарь"),
        ("список пуст", "два процесса запускаются одновременно", "соединение обрывается"),
        (
            "Почему теряется {n}, когда {c}? Объясни по шагам, что делает {f}, и предложи "
            "наименьшее изменение, при котором {m} остаётся целым.",
            "Напиши тест для {f}: {n} не должен списываться дважды, даже если {c}. Учти, что {m} "
            "поддерживает другая команда.",
        ),
    ),
    "ja": (
        ("請求書", "買い物かご", "待ち行列", "予定表", "添付書類"),
        ("一覧が空のとき", "二つの処理が同時に始まるとき", "通信が途中で切れたとき"),
        (
            "{c}、{n}が失われるのはなぜですか。{f}の中で何が起きているかを順番に説明し、"
            "{m}を壊さない最小の変更を提案してください。",
            "{f}のテストを書いてください。{c}でも{n}が二重に処理されてはいけません。"
            "{m}は別の班が管理していることに注意してください。",
        ),
    ),
    "zh": (
        ("发票", "购物车", "消息队列", "快照", "日历提醒"),
        ("列表为空", "两个进程同时启动", "连接在中途断开"),
        (
            "当{c}的时候，为什么{n}会丢失？请一步一步说明{f}做了什么，"
            "并给出能保住{m}的最小改动，不要修改公开接口。",
            "请为{f}写一个测试：即使{c}，{n}也不能被重复扣款。注意{m}由另一个团队维护。",
        ),
    ),
}
LANGUAGES = tuple(_SLOTS)


def ask(chance: Random, language: str, about: str) -> str:
    """Return a developer's request in a language, of two sentences or four."""
    nouns, cases, templates = _SLOTS[language]
    made = [
        template.format(
            n=chance.choice(nouns), m=chance.choice(nouns), c=chance.choice(cases), f=about
        )
        for template in chance.sample(templates, chance.randint(1, 2))
    ]
    return " ".join(made)
