"""Word lists: function words that carry no topic, and words that open or close an instruction.

Short lists of our own, for English, German, French, Spanish and Chinese; a word that is missing costs a little accuracy
and nothing else. All in lower case, as the tokeniser gives them.
"""

from __future__ import annotations


def words_of(text: str) -> frozenset[str]:
    """A set of the words of a text."""
    return frozenset(text.split())


FUNCTION_WORDS = words_of(
    """
    a about above after again against all also am an and any are as at be because been before being below between both
    but by can could did do does doing dont down during each either every few for from further get had has have having
    he her here hers him his how i if im in into is isnt it its ive just let like make many may me might more most much
    must my need no nor not now of off on once one only or other our out over own per please same she should so some
    such than that thats the their them then there these they this those through to too two under until up upon us use
    used using very want was we were what when where which while who whom whose why will with within without would you
    your
    aber als am an auch auf aus bei bin bis bitte da damit dann das dass dein deine dem den der des dich die dies diese
    dieser dieses dir du durch ein eine einem einen einer eines er es euch für habe haben hat hier ich ihr ihre im in
    ist ja jede jeder kann kein keine können man mehr mein meine mich mir mit muss nach nicht noch nur ob oder ohne
    schon sehr sein seine sich sie sind so soll über um und uns unser unter vom von vor war was weil welche wenn wer
    werden wie wir wird wo zu zum zur
    à au aux avec ce ces cet cette comme comment dans de des donc du elle elles en est et être fait ici il ils je la le
    les leur leurs lui ma mais me mes moi mon ne nos notre nous on ou où par pas peut plus pour pourquoi qu que quel
    quelle quelles quels qui sa sans se ses si son sont sur ta te tes ton tous tout très tu un une vos votre vous
    al algo así aunque cada como con cual cuando de del desde donde dos el ella ellos en entre era es esa ese eso esta
    este esto está están hay hasta la las le les lo los más me mi mis muy nada ni no nos o para pero por porque puede
    que qué quien se sea ser si sin sobre son su sus también te tiene todo todos tu tus un una uno unos y ya yo
    的 了 是 在 有 和 就 不 都 一 上 也 很 到 说 要 去 你 会 着 没 看 好 这 那 我 他 她
    它 们 个 么 什 为 以 与 及 或 之 其 请 把 被 吗 呢 吧
    """
)
"""Words without a topic: weak in the embedding, never a topic cell."""

INSTRUCTION_WORDS = words_of(
    """
    add analyze analyse answer answers ask based brief briefly calculate check choose classify code compare complete
    compute consider consist context convert correct create decide define describe description design determine develop
    difference discuss draft edit evaluate example examples explain explanation extract fill find fix follow following
    format generate give given help identify implement improve information input instruction instructions json judge
    keep label list make name note output paragraph paraphrase passage predict produce prompt propose provide question
    questions rank rate read reason reasoning recommend rephrase reply respond response return review rewrite score
    select sentence sentences show simple solve sort state steps step suggest suggestions summarise summarize summary
    task tell text think translate translation turn understand verify word words write
    antworte antworten beantworte beispiel beschreibe erkläre erstelle frage gib nenne schreibe text übersetze
    décris donne écris explique exemple génère liste question réponds résume texte traduis
    crea da describe ejemplo escribe explica genera lista pregunta responde resume texto traduce
    """
)
"""Words of the task rather than of the topic: treated as function words when topic cells are chosen."""

OPENERS = INSTRUCTION_WORDS | words_of(
    """
    act assume assistant below given help here imagine please pretend you your
    bitte du hilf
    aide imagine veuillez vous
    actúa ayúdame eres imagina
    """
)
"""First words of a head that reads like an instruction."""

CLOSINGS = INSTRUCTION_WORDS | words_of(
    """
    also always avoid be dont do end exactly finally if just limit must never no now only please remember start the use
    your antwort bitte nur ausgabe réponse seulement veuillez respuesta solo devuelve gebe retourne renvoie
    """
)
"""First words of a closing instruction."""

UNSPACED_OPENERS = (
    "请",
    "你",
    "给",
    "将",
    "把",
    "写",
    "用",
    "根据",
    "如何",
    "怎",
    "为",
    "什么",
    "解释",
    "翻译",
    "分析",
    "列",
    "生成",
    "描述",
    "以下",
)
UNSPACED_CLOSINGS = ("请", "只", "仅", "返回", "输出", "回答", "不要", "用", "以", "给出", "字数", "并")
